#include "convert/orient.hpp"

#include <algorithm>
#include <cstring>

namespace spike {
namespace {

// Where the pixel in the left upper corner of the upright picture goes, and how far its neighbours are from it.
struct Steps {
    std::uint8_t* origin;
    std::ptrdiff_t right, down;
};

Steps steps_of(const PictureOut& out, std::size_t plane, const Orientation& orientation) noexcept {
    const PlaneShape shape = plane_shape(out.format, plane, out.width, out.height);
    const auto pixel = static_cast<std::ptrdiff_t>(shape.bytes);
    const std::ptrdiff_t stride = out.strides[plane];
    const std::ptrdiff_t last_column = static_cast<std::ptrdiff_t>(shape.pixels - 1) * pixel,
                         last_row = static_cast<std::ptrdiff_t>(shape.rows - 1) * stride;
    const int turn = orientation.clockwise_degrees;
    const bool leftwards = (turn == 90 || turn == 180) != orientation.mirrored;
    const bool upwards = turn == 180 || turn == 270;
    const std::ptrdiff_t column = leftwards ? -pixel : pixel, row = upwards ? -stride : stride;
    std::uint8_t* origin = out.planes[plane] + (leftwards ? last_column : 0) + (upwards ? last_row : 0);
    return orientation.on_its_side() ? Steps{origin, row, column} : Steps{origin, column, row};
}

// Pixels of a size that the compiler knows, so that each is one move.
template <std::size_t bytes>
void place(const std::uint8_t* in, std::ptrdiff_t in_stride, std::size_t rows, std::size_t pixels, const Steps& to,
           std::size_t first) noexcept {
    std::uint8_t* origin = to.origin + static_cast<std::ptrdiff_t>(first) * to.down;
    constexpr std::size_t tile = 16;  // so that what is read and what is written both stay in the cache
    for (std::size_t begin = 0; begin < pixels; begin += tile) {
        const std::size_t end = std::min(begin + tile, pixels);
        for (std::size_t y = 0; y < rows; ++y) {
            const std::uint8_t* from = in + static_cast<std::ptrdiff_t>(y) * in_stride;
            std::uint8_t* out = origin + static_cast<std::ptrdiff_t>(y) * to.down;
            for (std::size_t x = begin; x < end; ++x)
                std::memcpy(out + static_cast<std::ptrdiff_t>(x) * to.right, from + x * bytes, bytes);
        }
    }
}

}  // namespace

void place_strip(const PictureIn& strip, std::size_t first, const PictureOut& out,
                 const Orientation& orientation) noexcept {
    for (std::size_t plane = 0; plane < plane_count(strip.format); ++plane) {
        const PlaneShape shape = plane_shape(strip.format, plane, strip.width, strip.height);
        const auto place_pixels = shape.bytes == 1   ? &place<1>
                                  : shape.bytes == 2 ? &place<2>
                                  : shape.bytes == 3 ? &place<3>
                                                     : &place<4>;
        place_pixels(strip.planes[plane], strip.strides[plane], shape.rows, shape.pixels,
                     steps_of(out, plane, orientation), plane ? first / 2 : first);
    }
}

}  // namespace spike
