// The inner loops of the FFT, once per instruction set.
#pragma once

#include <cstddef>

#include "base/planar.hpp"
#include "base/variants.hpp"

namespace spike {

struct FftStage {
    std::size_t radix;
    std::size_t count;    // butterflies of one stride: the remaining length over the radix
    std::size_t stride;   // the product of the radices before, times the lanes
    std::size_t twiddle;  // where this stage's factors begin
};

// Several transforms of one size may run side by side, in `lanes`: each number is then a row of one of each.
struct FftKernels {
    // One stage from `in` to `out`; `wr` and `wi` are its factors, of one column after the other, or where the stride
    // is 1 of all columns for one output after the other.
    void (*run_stage)(const FftStage& stage, const float* wr, const float* wi, PlanarIn in, PlanarOut out) noexcept;
    // Real samples to `half` complex values and back, by parity; back on the conjugate, scaled.
    void (*split)(const float* time, PlanarOut packed, std::size_t half, std::size_t lanes) noexcept;
    void (*join)(PlanarIn packed, float scale, float* time, std::size_t half, std::size_t lanes) noexcept;
    // The complex values' transform to the bins 1 to half - 1 of the real samples', and all bins back.
    void (*unpack)(PlanarIn turns, PlanarIn packed, PlanarOut bins, std::size_t half, std::size_t lanes) noexcept;
    void (*pack)(PlanarIn turns, PlanarIn bins, PlanarOut packed, std::size_t half, std::size_t lanes) noexcept;
};

SPIKE_VARIANTS(FftKernels, fft_kernels)

}  // namespace spike
