// From one pixel format to another at one size.
#pragma once

#include <vector>

#include "convert/colour.hpp"
#include "convert/picture.hpp"

namespace spike {

class SameSize {
  public:
    // `lines` is what lies between two kernels and grows as needed; it must outlive this. Most conversions need none.
    SameSize(PixelFormat from, PixelFormat to, std::size_t width, const Colour& colour,
             std::vector<std::uint8_t>& lines);

    // Pictures, or strips of them that begin on an even row, in the formats and of the width that were given.
    void run(const PictureIn& in, const PictureOut& out) noexcept;

  private:
    // Planar, or paired in `u` with `v` null.
    struct ChromaRow {
        const std::uint8_t* u;
        const std::uint8_t* v;
    };

    void repack(const PictureIn& in, const PictureOut& out) noexcept;
    void yuv_to_rgb(const PictureIn& in, const PictureOut& out) noexcept;
    void rgb_to_yuv(const PictureIn& in, const PictureOut& out) noexcept;
    void rgb_to_yuyv(const PictureIn& in, const PictureOut& out) noexcept;
    void yuv_to_yuv(const PictureIn& in, const PictureOut& out) noexcept;
    ChromaRow chroma_row(const PictureIn& in, std::size_t y, std::size_t below) noexcept;
    void store_chroma(const ChromaRow& chroma, const PictureOut& out, std::size_t y) noexcept;
    void store_yuyv(const std::uint8_t* luma, const ChromaRow& chroma, std::uint8_t* out) noexcept;
    std::uint8_t* line(std::size_t index) noexcept { return lines_.data() + index * line_bytes_; }

    const PixelRowsKernels& rows_;
    const Matrices& matrices_;
    std::size_t width_, pairs_, line_bytes_;
    std::vector<std::uint8_t>& lines_;
};

}  // namespace spike
