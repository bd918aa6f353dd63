// The inner loop of the resampler, once per instruction set.
#pragma once

#include <cstddef>

#include "base/variants.hpp"

namespace spike {

// Coefficient rows are padded with zeros to a multiple of this, which every variant sums in the same lanes.
constexpr std::size_t dot_lanes = 16;

struct DotProduct {
    // The sum of a[i] * b[i] over `count`, a multiple of dot_lanes.
    float (*dot)(const float* a, const float* b, std::size_t count) noexcept;
    // The same against a row that lies between b and c: b + t * (c - b).
    float (*dot_between)(const float* a, const float* b, const float* c, float t, std::size_t count) noexcept;
};

SPIKE_VARIANTS(DotProduct, dot_product)

}  // namespace spike
