// The inner loops of the adaptive filter, one partition each, once per instruction set.
#pragma once

#include <cstddef>

#include "base/variants.hpp"

namespace spike {

// One partition of the far end: `bins` values, planar.
struct FarSpectrum {
    const float* real;
    const float* imag;
};

// Its coefficients, and the variance of their error.
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

struct PartitionLoops {
    void (*predict)(FarSpectrum far, Coefficients w, Prediction sum, std::size_t bins) noexcept;
    // `keep`: how much of a coefficient's power survives a block.
    void (*adapt)(FarSpectrum far, Coefficients w, Correction error, float keep, std::size_t bins) noexcept;
};

SPIKE_VARIANTS(PartitionLoops, partition_loops)

}  // namespace spike
