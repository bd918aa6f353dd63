// Compiled once per instruction set: the lanes become vectors of whatever width there is.
#include "dsp/resampler/dot_product.hpp"

namespace spike::SPIKE_ISA {
namespace {

// Pairwise, so that the order of the sum is the same for every width.
float sum_of(float* lanes) noexcept {
    for (std::size_t width = dot_lanes / 2; width > 0; width /= 2)
        for (std::size_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
    return lanes[0];
}

float dot(const float* __restrict a, const float* __restrict b, std::size_t count) noexcept {
    float lanes[dot_lanes] = {};
    for (std::size_t i = 0; i < count; i += dot_lanes)
        for (std::size_t lane = 0; lane < dot_lanes; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
    return sum_of(lanes);
}

float dot_between(const float* __restrict a, const float* __restrict b, const float* __restrict c, float t,
                  std::size_t count) noexcept {
    float lanes[dot_lanes] = {};
    for (std::size_t i = 0; i < count; i += dot_lanes)
        for (std::size_t lane = 0; lane < dot_lanes; ++lane)
            lanes[lane] += a[i + lane] * (b[i + lane] + t * (c[i + lane] - b[i + lane]));
    return sum_of(lanes);
}

}  // namespace

const DotProduct dot_product_variant{&dot, &dot_between};

}  // namespace spike::SPIKE_ISA
