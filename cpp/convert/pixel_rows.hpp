// The inner loops of picture conversion, one row each, once per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/variants.hpp"

namespace spike {

// Rows are planar here: three arrays of one byte a pixel.
struct Row {
    std::uint8_t* first;
    std::uint8_t* second;
    std::uint8_t* third;
};

// Fixed-point matrices with this many fractional bits: rounding is right in all but ties.
constexpr int colour_bits = 16;

struct ToRgb {
    std::int32_t luma, luma_offset, red_v, green_u, green_v, blue_u;
};

struct ToYuv {
    std::int32_t y_red, y_green, y_blue, y_offset;
    std::int32_t u_red, u_green, u_blue, v_red, v_green, v_blue;
};

// Between packed pixels of one format and planar red, green, blue; an alpha byte is written opaque and not read.
struct PackedRows {
    void (*unpack)(const std::uint8_t* packed, const Row& rgb, std::size_t width) noexcept;
    void (*pack)(const Row& rgb, std::uint8_t* packed, std::size_t width) noexcept;
};

enum PackedOrder : std::size_t { rgb24_order, bgr24_order, rgba_order, bgra_order, argb_order };

struct PixelRows {
    // Luma and chroma of full width to red, green, blue.
    void (*to_rgb)(const Row& yuv, const Row& rgb, std::size_t width, const ToRgb& matrix) noexcept;
    void (*to_luma)(const Row& rgb, std::uint8_t* luma, std::size_t width, const ToYuv& matrix) noexcept;
    // The chroma of half width of two rows (the same row twice at an odd end).
    void (*to_chroma)(const Row& above, const Row& below, std::uint8_t* u, std::uint8_t* v, std::size_t width,
                      const ToYuv& matrix) noexcept;
    PackedRows packed[5];  // in the order of PackedOrder
};

SPIKE_VARIANTS(PixelRows, pixel_rows)

}  // namespace spike
