// The inner loops of picture conversion, once per instruction set.
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

// Red, green and blue to luma in words of 8 fractional bits, and to chroma in words of 7: from the sums of four pixels,
// by how much green and blue differ from red, since the three weights of a colour difference have the sum 0.
constexpr int luma_bits = 8, chroma_bits = 7;

struct ToYuv {
    std::int32_t y_red, y_green, y_blue, y_offset;
    std::int32_t u_green, u_blue, v_green, v_blue;
};

enum PackedOrder : std::size_t { rgb24_order, bgr24_order, rgba_order, bgra_order, argb_order, packed_orders };

// How a row's chroma lies: u and v of half width, u and v taking turns (in `u`), or none, which is grey.
enum ChromaLayout : std::size_t { planar_chroma, paired_chroma, no_chroma, chroma_layouts };

// Strides are in bytes. Each row of chroma belongs to two rows of luma.
struct YuvRows {
    const std::uint8_t* luma;
    const std::uint8_t* u;
    const std::uint8_t* v;
    std::ptrdiff_t luma_stride, u_stride, v_stride;
};

// With `u` and `v` null, luma alone.
struct YuvRowsOut {
    std::uint8_t* luma;
    std::uint8_t* u;
    std::uint8_t* v;
    std::ptrdiff_t luma_stride, u_stride, v_stride;
};

struct Extent {
    std::size_t width, height;
};

// An alpha byte is written opaque and not read. The last row of an odd height stands for both of its pair.
struct PixelRowsKernels {
    void (*to_packed[chroma_layouts][packed_orders])(const YuvRows& in, std::uint8_t* out, std::ptrdiff_t stride,
                                                     const Extent& extent, const ToRgb& matrix) noexcept;
    void (*from_packed[packed_orders])(const std::uint8_t* in, std::ptrdiff_t stride, const YuvRowsOut& out,
                                       const Extent& extent, const ToYuv& matrix) noexcept;
    void (*repack[packed_orders][packed_orders])(const std::uint8_t* in, std::uint8_t* out, std::size_t width) noexcept;
    // Pairs of bytes to the first and the second of each, and back; `count` pairs.
    void (*deinterleave)(const std::uint8_t* pairs, std::uint8_t* first, std::uint8_t* second,
                         std::size_t count) noexcept;
    void (*interleave)(const std::uint8_t* first, const std::uint8_t* second, std::uint8_t* pairs,
                       std::size_t count) noexcept;
    void (*average)(const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* out, std::size_t count) noexcept;
};

SPIKE_VARIANTS(PixelRowsKernels, pixel_rows_kernels)

}  // namespace spike
