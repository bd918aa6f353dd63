// The inner loops of the adaptive filter and of its far end, once per instruction set.
#pragma once

#include <cstddef>

#include "base/planar.hpp"
#include "base/variants.hpp"

namespace spike {

// The coefficients of one partition of `bins` bins, and the variance of their error.
struct Coefficients {
    float* real;
    float* imag;
    float* variance;
};

// What all partitions add up to.
struct Prediction {
    float* real;
    float* imag;
    float* residual_power;
};

// The error over its expected power, and the share of a variance that one unit of far power takes away.
struct Correction {
    const float* real;
    const float* imag;
    const float* share;
};

// What `weigh` makes a correction of.
struct Weighing {
    PlanarIn error;
    const float* residual_power;
    float* near_power;  // smoothed
    float* expected_power;
    float* real;  // of the correction
    float* imag;
    float* share;
};

constexpr std::size_t side_by_side = 8;  // partial sums, the same on every instruction set

struct PartitionKernels {
    void (*predict)(PlanarIn far, Coefficients w, Prediction sum, std::size_t bins) noexcept;
    // `keep`: how much of a coefficient's power survives a block. `least`: by how much its variance grows at least.
    void (*adapt)(PlanarIn far, Coefficients w, Correction error, float keep, float least, std::size_t bins) noexcept;
    // The correction for all partitions.
    void (*weigh)(const Weighing& weighing, std::size_t bins) noexcept;
    // The sum of `taps` samples, by coefficients that lie at `share` of the way from one row to the other. `taps` is a
    // multiple of `side_by_side`.
    float (*between)(const float* below, const float* above, float share, const float* samples,
                     std::size_t taps) noexcept;
};

SPIKE_VARIANTS(PartitionKernels, partition_kernels)

}  // namespace spike
