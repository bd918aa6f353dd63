// The inner loop of the resampler, once per instruction set.
#pragma once

#include <cstddef>

#include "base/cpu.hpp"

namespace spike {

// Coefficient rows are padded with zeros to a multiple of this, which every variant sums in the same lanes.
constexpr std::size_t dot_lanes = 16;

struct DotProduct {
    // The sum of a[i] * b[i] over `count`, a multiple of dot_lanes.
    float (*dot)(const float* a, const float* b, std::size_t count) noexcept;
    // The same against a row that lies between b and c: b + t * (c - b).
    float (*dot_between)(const float* a, const float* b, const float* c, float t, std::size_t count) noexcept;
};

// The variant for `isa`, or the baseline where this build has none.
const DotProduct& dot_product(Isa isa) noexcept;

namespace baseline {
extern const DotProduct dot_product_variant;
}
namespace avx2 {
extern const DotProduct dot_product_variant;
}
namespace avx512 {
extern const DotProduct dot_product_variant;
}
namespace neon {
extern const DotProduct dot_product_variant;
}

}  // namespace spike
