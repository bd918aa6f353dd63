// The inner loops of the adaptive filter, one partition each, once per instruction set.
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

struct PartitionKernels {
    void (*predict)(PlanarIn far, Coefficients w, Prediction sum, std::size_t bins) noexcept;
    // `keep`: how much of a coefficient's power survives a block. `least`: by how much its variance grows at least.
    void (*adapt)(PlanarIn far, Coefficients w, Correction error, float keep, float least, std::size_t bins) noexcept;
};

SPIKE_VARIANTS(PartitionKernels, partition_kernels)

}  // namespace spike
