// Pictures in the formats of cameras, codecs and picture libraries.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spike {

enum class PixelFormat { i420, nv12, yuyv, rgb24, bgr24, rgba, bgra, argb, gray8 };

// Throws std::invalid_argument for a name that is none of FFmpeg's yuv420p, nv12, yuyv422, rgb24, bgr24, rgba, bgra,
// argb and gray (or gray8).
PixelFormat pixel_format(std::string_view name);

struct PlaneShape {
    std::size_t rows, row_bytes;
};

std::size_t plane_count(PixelFormat format) noexcept;
PlaneShape plane_shape(PixelFormat format, std::size_t plane, std::size_t width, std::size_t height) noexcept;

// How luma and chroma are made of red, green and blue.
struct Colour {
    enum class Matrix { bt601, bt709 };
    Matrix matrix = Matrix::bt709;
    bool full_range = false;
};

// A picture in memory of somebody else's. A stride is the distance of two rows in bytes, and may be negative.
template <typename Byte>
struct Picture {
    PixelFormat format;
    std::size_t width, height;
    std::array<Byte*, 3> planes{};
    std::array<std::ptrdiff_t, 3> strides{};

    Byte* row(std::size_t plane, std::size_t index) const noexcept {
        return planes[plane] + static_cast<std::ptrdiff_t>(index) * strides[plane];
    }
};

using PictureIn = Picture<const std::uint8_t>;
using PictureOut = Picture<std::uint8_t>;

// Any format to any other, and to any size: pictures shrink by area averaging and grow by bilinear interpolation.
// `in` and `out` must not overlap. Chroma is centred between the rows and columns that share it.
// Sources: ITU-R BT.601-7 and BT.709-6.
void convert_picture(const PictureIn& in, const PictureOut& out, const Colour& colour);

}  // namespace spike
