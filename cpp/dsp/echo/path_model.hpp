// What is known of the path from loudspeaker to microphone: coefficients, and how sure each of them is.
#pragma once

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
    void expect(float share) noexcept { expected_share_ = share; }

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
    std::size_t bins_, partitions_, rows_;  // rows: channels x partitions
    Spectrum coefficients_;
    float expected_share_ = 1.0f;
    std::vector<float> variance_;  // of the coefficients' error
};

}  // namespace spike
