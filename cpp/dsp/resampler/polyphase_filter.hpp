// The filter of a resampler: its coefficients, and the inputs that they still need.
#pragma once

#include <cstddef>
#include <vector>

#include "base/aligned.hpp"
#include "base/interpolation_filter.hpp"
#include "dsp/resampler/convolution_kernels.hpp"
#include "dsp/resampler/strided.hpp"

namespace spike {

// Computes in `Real`: float, or double for rejections that float does not reach.
//
// Method: R. Crochiere and L. Rabiner, "Multirate Digital Signal Processing", 1983, chapter 3. Where the phases are too
// many to keep a row for each, a coefficient is a polynomial within cells: C. Farrow, "A continuously variable digital
// delay element", 1988.
template <typename Real>
class PolyphaseFilter {
  public:
    struct Config {
        std::size_t channels;
        std::size_t lead;            // zeros that a stream begins with
        std::size_t longest_input;   // that store() is given
        std::size_t longest_output;  // that produce() is asked for
        Isa isa;
    };

    PolyphaseFilter(const InterpolationFilter& filter, const Config& config);
    PolyphaseFilter(const PolyphaseFilter&) = delete;  // parts of it point into its memory, which moves with it
    PolyphaseFilter& operator=(const PolyphaseFilter&) = delete;
    PolyphaseFilter(PolyphaseFilter&&) = default;
    PolyphaseFilter& operator=(PolyphaseFilter&&) = default;
    ~PolyphaseFilter() = default;

    // Each replaces the coefficients, and allocates. A row for each phase, which the walk goes through once while it
    // passes `inputs_per_turn` inputs:
    void make_rows(std::size_t phases, std::size_t inputs_per_turn);
    // Polynomials, for a walk that counts in `units`:
    void make_cells(std::uint64_t units);
    // One row that filters nothing:
    void make_delay();

    // Forget all inputs but the zeros.
    void reset() noexcept;

    std::size_t filled() const noexcept { return filled_; }

    // Append `count` inputs, after letting go of what lies before the input `first`; returns how many that were.
    template <typename Sample>
    std::size_t store(Strided<const Sample> in, std::size_t count, std::ptrdiff_t first) noexcept;

    // `count` outputs at the places of `walk`; returns the walk behind them.
    template <typename Sample>
    Walk produce(const Walk& walk, Strided<Sample> out, std::size_t count) noexcept;

  private:
    void use(Convolution<Real>::Kernel kernel, AlignedVector<Real> rows, std::size_t taps, double cells_per_unit = 0.0);
    void use_shifts(const std::vector<double>& row);
    Real* history(std::size_t channel) noexcept { return history_.data() + channel * capacity_; }

    InterpolationFilter filter_;
    Config config_;
    const Convolution<Real>* convolution_;
    std::size_t taps_;  // padded
    std::size_t capacity_;
    std::size_t filled_ = 0;
    AlignedVector<Real> rows_, history_, made_;
    FilterBank<Real> bank_{};
    Convolution<Real>::Kernel kernel_ = nullptr;
};

extern template class PolyphaseFilter<float>;
extern template class PolyphaseFilter<double>;

}  // namespace spike
