// The inner loops of the resampler, once per instruction set.
#pragma once

#include <cstddef>

#include "base/variants.hpp"
#include "dsp/resampler/walk.hpp"

namespace spike {

// Rows of coefficients are padded with zeros to whole chunks, the most numbers that a register holds. Where a cell has
// several rows, their chunks take turns.
constexpr std::size_t chunk_taps = 16;
// Rows of a cell: a coefficient is a polynomial of its place within the cell, 0 to 1, with these many terms. A parabola
// is the quickest; in double it would need so many cells that they do not stay in the cache.
template <typename Real>
constexpr std::size_t terms_of = sizeof(Real) == sizeof(float) ? 3 : 4;
// Inputs behind the last one that a kernel may read, and takes nothing from.
constexpr std::size_t overread = 64;

// The rows of a polyphase filter.
template <typename Real>
struct FilterBank {
    const Real* rows;
    std::size_t taps;             // of a row, a multiple of chunk_taps
    double cells_per_unit = 0.0;  // of the walk, for a bank of cells
};

// `inputs` begin at a cache line. Each writes `count` outputs of the inputs at the walk's places and returns the walk
// behind them.
template <typename Real>
struct Convolution {
    using Kernel = Walk (*)(const FilterBank<Real>& bank, const Real* inputs, Walk walk, Real* out,
                            std::size_t count) noexcept;

    Kernel exact;          // a row for each phase
    Kernel decimating;     // a row for each place among chunk_taps inputs, where there is one phase
    Kernel interpolating;  // and where each input makes one output in each phase, `count` / phases inputs
    Kernel polynomial;     // terms_of rows for each cell, by rising powers of the place

    // Samples that lie side by side, as inputs. Those that are no numbers become silence.
    void (*keep_float)(const float* in, std::size_t count, Real* kept) noexcept;
    void (*keep_int16)(const std::int16_t* in, std::size_t count, Real* kept) noexcept;

    void keep(const float* in, std::size_t count, Real* kept) const noexcept { keep_float(in, count, kept); }
    void keep(const std::int16_t* in, std::size_t count, Real* kept) const noexcept { keep_int16(in, count, kept); }
};

struct ConvolutionKernels {
    Convolution<float> single_precision;
    Convolution<double> double_precision;
};

SPIKE_VARIANTS(ConvolutionKernels, convolution_kernels)

}  // namespace spike
