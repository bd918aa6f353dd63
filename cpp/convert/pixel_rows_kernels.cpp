// Compiled once per instruction set; integers only, so every set gives the same bytes.
#include <algorithm>

#include "convert/pixel_rows.hpp"

namespace spike::SPIKE_ISA {
namespace {

constexpr std::int32_t half = 1 << (colour_bits - 1);

std::uint8_t clamped(std::int32_t value) noexcept { return static_cast<std::uint8_t>(std::clamp(value, 0, 255)); }

// The compiler believes __restrict on parameters only, hence the loops in functions of their own.
void colours(const std::uint8_t* __restrict y, const std::uint8_t* __restrict u, const std::uint8_t* __restrict v,
             std::uint8_t* __restrict red, std::uint8_t* __restrict green, std::uint8_t* __restrict blue,
             std::size_t width, ToRgb m) noexcept {
    for (std::size_t n = 0; n < width; ++n) {
        const std::int32_t luma = m.luma * (y[n] - m.luma_offset) + half;
        const std::int32_t cu = u[n] - 128, cv = v[n] - 128;
        red[n] = clamped((luma + m.red_v * cv) >> colour_bits);
        green[n] = clamped((luma + m.green_u * cu + m.green_v * cv) >> colour_bits);
        blue[n] = clamped((luma + m.blue_u * cu) >> colour_bits);
    }
}

void to_rgb(const Row& yuv, const Row& rgb, std::size_t width, const ToRgb& matrix) noexcept {
    colours(yuv.first, yuv.second, yuv.third, rgb.first, rgb.second, rgb.third, width, matrix);
}

void to_luma(const Row& rgb, std::uint8_t* luma, std::size_t width, const ToYuv& matrix) noexcept {
    const std::uint8_t* __restrict red = rgb.first;
    const std::uint8_t* __restrict green = rgb.second;
    const std::uint8_t* __restrict blue = rgb.third;
    std::uint8_t* __restrict to = luma;
    const ToYuv m = matrix;
    const std::int32_t offset = (m.y_offset << colour_bits) + half;
    for (std::size_t n = 0; n < width; ++n)
        to[n] = clamped((m.y_red * red[n] + m.y_green * green[n] + m.y_blue * blue[n] + offset) >> colour_bits);
}

void to_chroma(const Row& above, const Row& below, std::uint8_t* u, std::uint8_t* v, std::size_t width,
               const ToYuv& matrix) noexcept {
    // The mean of four pixels, not rounded before the matrix: two more fractional bits.
    constexpr std::int32_t offset = (128 << (colour_bits + 2)) + (1 << (colour_bits + 1));
    for (std::size_t n = 0; n < (width + 1) / 2; ++n) {
        const std::size_t left = 2 * n, right = left + 1 < width ? left + 1 : left;
        const auto sum = [&](const std::uint8_t* a, const std::uint8_t* b) {
            return static_cast<std::int32_t>(a[left]) + a[right] + b[left] + b[right];
        };
        const std::int32_t red = sum(above.first, below.first), green = sum(above.second, below.second),
                           blue = sum(above.third, below.third);
        u[n] =
            clamped((matrix.u_red * red + matrix.u_green * green + matrix.u_blue * blue + offset) >> (colour_bits + 2));
        v[n] =
            clamped((matrix.v_red * red + matrix.v_green * green + matrix.v_blue * blue + offset) >> (colour_bits + 2));
    }
}

// The places of the colours are known at compile time, so that the compiler can shuffle whole vectors.
template <std::size_t Bytes, std::size_t R, std::size_t G, std::size_t B>
void unpack(const std::uint8_t* __restrict packed, const Row& rgb, std::size_t width) noexcept {
    std::uint8_t* __restrict red = rgb.first;
    std::uint8_t* __restrict green = rgb.second;
    std::uint8_t* __restrict blue = rgb.third;
    for (std::size_t n = 0; n < width; ++n) {
        red[n] = packed[n * Bytes + R];
        green[n] = packed[n * Bytes + G];
        blue[n] = packed[n * Bytes + B];
    }
}

template <std::size_t Bytes, std::size_t R, std::size_t G, std::size_t B>
void pack(const Row& rgb, std::uint8_t* __restrict packed, std::size_t width) noexcept {
    const std::uint8_t* __restrict red = rgb.first;
    const std::uint8_t* __restrict green = rgb.second;
    const std::uint8_t* __restrict blue = rgb.third;
    for (std::size_t n = 0; n < width; ++n) {
        if constexpr (Bytes == 4) {
            constexpr std::size_t alpha = 6 - R - G - B;
            packed[n * Bytes + alpha] = 255;
        }
        packed[n * Bytes + R] = red[n];
        packed[n * Bytes + G] = green[n];
        packed[n * Bytes + B] = blue[n];
    }
}

template <std::size_t Bytes, std::size_t R, std::size_t G, std::size_t B>
constexpr PackedRows packed_rows{&unpack<Bytes, R, G, B>, &pack<Bytes, R, G, B>};

}  // namespace

const PixelRows pixel_rows_variant{
    &to_rgb,
    &to_luma,
    &to_chroma,
    {packed_rows<3, 0, 1, 2>, packed_rows<3, 2, 1, 0>, packed_rows<4, 0, 1, 2>, packed_rows<4, 2, 1, 0>,
     packed_rows<4, 1, 2, 3>},
};

}  // namespace spike::SPIKE_ISA
