// The inner loops of picture conversion, one row each, once per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/variants.hpp"

namespace spike {

// Luma and chroma to red, green and blue, in words of 6 fractional bits: luma is 16 bits of fraction above that,
// chroma 13 (its words hold the byte in their upper halves, and it is signed).
constexpr int rgb_bits = 6;

struct ToRgb {
    std::int32_t luma, offset, red_v, green_u, green_v, blue_u;
};

// Red, green and blue to luma in words of 8 fractional bits, and to chroma in words of 7, from the sum of four pixels.
constexpr int luma_bits = 8, chroma_bits = 7;

struct ToYuv {
    std::int32_t y_red, y_green, y_blue, y_offset;
    std::int32_t u_red, u_green, u_blue, v_red, v_green, v_blue;
};

enum PackedOrder : std::size_t { rgb24_order, bgr24_order, rgba_order, bgra_order, argb_order, packed_orders };

// How a row's chroma lies: u and v of half width, u and v taking turns (in `u`), or none, which is grey.
enum ChromaLayout : std::size_t { planar_chroma, paired_chroma, no_chroma, chroma_layouts };

struct YuvRow {
    const std::uint8_t* luma;
    const std::uint8_t* u;
    const std::uint8_t* v;
};

// Two packed rows (the same twice at an odd end) and what is made of them; with `u` and `v` null, luma alone.
struct PackedPair {
    const std::uint8_t* above;
    const std::uint8_t* below;
};
struct YuvPair {
    std::uint8_t* above;
    std::uint8_t* below;
    std::uint8_t* u;
    std::uint8_t* v;
};

// An alpha byte is written opaque and not read.
struct PixelRows {
    void (*to_packed[chroma_layouts][packed_orders])(const YuvRow& in, std::uint8_t* out, std::size_t width,
                                                     const ToRgb& matrix) noexcept;
    void (*from_packed[packed_orders])(const PackedPair& in, const YuvPair& out, std::size_t width,
                                       const ToYuv& matrix) noexcept;
    void (*repack[packed_orders][packed_orders])(const std::uint8_t* in, std::uint8_t* out, std::size_t width) noexcept;
    // Pairs of bytes to the first and the second of each, and back; `count` pairs.
    void (*deinterleave)(const std::uint8_t* pairs, std::uint8_t* first, std::uint8_t* second,
                         std::size_t count) noexcept;
    void (*interleave)(const std::uint8_t* first, const std::uint8_t* second, std::uint8_t* pairs,
                       std::size_t count) noexcept;
    void (*average)(const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* out, std::size_t count) noexcept;
};

SPIKE_VARIANTS(PixelRows, pixel_rows)

}  // namespace spike
