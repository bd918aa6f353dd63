// Pictures in the formats of cameras, codecs and picture libraries, in memory of somebody else's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace spike {

enum class PixelFormat { i420, nv12, yuyv, rgb24, bgr24, rgba, bgra, argb, gray8 };

// Throws std::invalid_argument for a name that is none of FFmpeg's yuv420p (yuvj420p), nv12, yuyv422, rgb24, bgr24,
// rgba, bgra, argb and gray (or gray8).
PixelFormat pixel_format(std::string_view name);
// FFmpeg's name, but gray8 for gray.
std::string_view format_name(PixelFormat format) noexcept;

// Bytes a pixel of the formats in which the pixels lie side by side, 1 for the planes of the others.
std::size_t pixel_bytes(PixelFormat format) noexcept;
bool is_rgb(PixelFormat format) noexcept;
// Whether two rows share their chroma.
bool is_420(PixelFormat format) noexcept;

// `pixels` in a row, which share `bytes` each.
struct PlaneShape {
    std::size_t rows, pixels, bytes;
    std::size_t row_bytes() const noexcept { return pixels * bytes; }
};

std::size_t plane_count(PixelFormat format) noexcept;
PlaneShape plane_shape(PixelFormat format, std::size_t plane, std::size_t width, std::size_t height) noexcept;

// A stride is the distance of two rows in bytes, and may be negative.
template <typename Byte>
struct Picture {
    PixelFormat format;
    std::size_t width, height;
    std::array<Byte*, 3> planes{};
    std::array<std::ptrdiff_t, 3> strides{};

    Byte* row(std::size_t plane, std::size_t index) const noexcept {
        return planes[plane] + static_cast<std::ptrdiff_t>(index) * strides[plane];
    }

    // `count` rows from `first` on, which is even where rows share their chroma.
    Picture rows(std::size_t first, std::size_t count) const noexcept {
        Picture part{format, width, count, {}, strides};
        for (std::size_t plane = 0; plane < plane_count(format); ++plane)
            part.planes[plane] = row(plane, plane ? first / 2 : first);
        return part;
    }
};

using PictureIn = Picture<const std::uint8_t>;
using PictureOut = Picture<std::uint8_t>;

// Whether a byte of one is a byte of the other. Pictures side by side in larger ones share none.
bool share_bytes(const PictureIn& in, const PictureOut& out) noexcept;

// A picture with memory of its own, which is kept for the next shape.
class OwnedPicture {
  public:
    // What is in it then is not said.
    void reshape(PixelFormat format, std::size_t width, std::size_t height);
    PictureIn in() const noexcept;
    const PictureOut& out() noexcept { return picture_; }

  private:
    std::vector<std::uint8_t> bytes_;
    PictureOut picture_{PixelFormat::gray8, 0, 0, {}, {}};
};

}  // namespace spike
