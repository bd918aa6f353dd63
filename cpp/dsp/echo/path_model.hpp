// What is known of the path from loudspeaker to microphone: coefficients, and how sure each of them is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/spectrum.hpp"
#include "dsp/echo/far_spectra.hpp"
#include "dsp/echo/partition_kernels.hpp"

namespace spike {

// A row of bins for each partition of each channel. A copy is a memory: assigning one to another allocates nothing.
class PathModel {
  public:
    // Nothing is known yet. The model fits what `far` holds.
    explicit PathModel(const FarSpectra& far);

    std::size_t rows() const noexcept { return rows_; }
    Coefficients row(std::size_t index) noexcept;
    SpectrumView spectrum(std::size_t index) const noexcept { return coefficients_.row(index, bins_); }
    SpectrumSpan spectrum(std::size_t index) noexcept { return coefficients_.row(index, bins_); }

    // Of a path that nothing is known of: how much of the far end's power may come back, against a loud one's.
    void expect(float share) noexcept { std::ranges::fill(expected_, share); }

    float expected(std::size_t bin) const noexcept { return expected_[bin]; }

    // So much more may come back in some bins, and at once: what is uncertain there is as much more uncertain.
    void expect_more(std::size_t begin, std::size_t end, float factor) noexcept;

    // How uncertain a coefficient is at the beginning.
    static float initial_variance(std::size_t partition) noexcept;

    void forget() noexcept;
    void reset() noexcept;  // and expect a loud path

    // Keep what has been learned, but be as unsure of it as at the beginning.
    void forget_certainty() noexcept;

    // The path may have changed: each coefficient's uncertainty is at least this share of its power.
    void doubt(float share) noexcept;

    // The far end is read `blocks` later from now on: partition p becomes p - blocks.
    void shift(std::ptrdiff_t blocks) noexcept;

  private:
    void expect_anew(std::size_t row, float variance) noexcept;

    std::size_t bins_, partitions_, rows_;  // rows: channels x partitions
    Spectrum coefficients_;
    std::vector<float> expected_;  // for each bin, against a loud path
    std::vector<float> variance_;  // of the coefficients' error
};

}  // namespace spike
