#include "convert/colour.hpp"

#include <cmath>

namespace spike {
namespace {

std::int32_t fixed(double value, int bits) noexcept {
    return static_cast<std::int32_t>(std::lround(std::ldexp(value, bits)));
}

// Products of unsigned words are cut, not rounded: on average half a unit is missing, unless nothing is cut off.
constexpr double cut = 0.5;

Matrices make_matrices(const Colour& colour) noexcept {
    const bool bt601 = colour.matrix == Colour::Matrix::bt601;
    const double red = bt601 ? 0.299 : 0.2126, blue = bt601 ? 0.114 : 0.0722, green = 1.0 - red - blue;
    const double luma = colour.full_range ? 1.0 : 255.0 / 219.0, chroma = colour.full_range ? 1.0 : 255.0 / 224.0;
    const double offset = colour.full_range ? 0.0 : 16.0, missing = colour.full_range ? 0.0 : cut;
    const double half_rgb = 1 << (rgb_bits - 1), half_luma = 1 << (luma_bits - 1);

    Matrices matrices{};
    const auto by_chroma = [&](double weight) { return fixed(chroma * weight, rgb_bits + 7); };
    matrices.to_rgb = {fixed(luma, rgb_bits + 8),
                       fixed(half_rgb + missing - offset * luma * (1 << rgb_bits), 0),
                       by_chroma(2.0 * (1.0 - red)),
                       by_chroma(-2.0 * (1.0 - blue) * blue / green),
                       by_chroma(-2.0 * (1.0 - red) * red / green),
                       by_chroma(2.0 * (1.0 - blue))};
    const double u = 0.5 / ((1.0 - blue) * chroma), v = 0.5 / ((1.0 - red) * chroma);
    const auto of_four = [](double weight) { return fixed(weight, chroma_bits + 8); };
    matrices.to_yuv = {fixed(red / luma, 16),  fixed(green / luma, 16),
                       fixed(blue / luma, 16), fixed(offset * (1 << luma_bits) + half_luma + 3 * cut, 0),
                       of_four(-u * green),    of_four(u * (1.0 - blue)),
                       of_four(-v * green),    of_four(-v * blue)};
    return matrices;
}

}  // namespace

const Matrices& matrices_of(const Colour& colour) noexcept {
    using enum Colour::Matrix;
    static const Matrices made[2][2] = {{make_matrices({bt601, false}), make_matrices({bt601, true})},
                                        {make_matrices({bt709, false}), make_matrices({bt709, true})}};
    return made[colour.matrix == bt709][colour.full_range];
}

}  // namespace spike
