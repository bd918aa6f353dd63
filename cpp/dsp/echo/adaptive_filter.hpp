// Models the path from loudspeaker to microphone and predicts the echo.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/fft.hpp"
#include "dsp/echo/far_spectra.hpp"
#include "dsp/echo/partition.hpp"

namespace spike {

// A partitioned-block frequency-domain Kalman filter. Every coefficient carries its own uncertainty, which sets its
// step size: large after a start or a change of the room, small when the near end talks, without a double-talk
// detector.
//
// Method: G. Enzner and P. Vary, "Frequency-domain adaptive Kalman filter for acoustic echo control in hands-free
// telephones", Signal Processing 86 (2006); partitioned as in F. Kuech, E. Mabande and G. Enzner, "State-space
// architecture of the partitioned-block-based acoustic echo controller", ICASSP 2014, with a diagonal covariance.
class AdaptiveFilter {
  public:
    struct Config {
        // How much of a coefficient is expected to survive a block: the room changes slowly, but it does.
        float transition = 0.9999f;
        std::size_t constrained_per_block = 4;  // partitions, in turn
    };

    // `far` must outlive the filter.
    AdaptiveFilter(const FarSpectra& far, const Config& config);

    // One block, after the far end's: writes what is left of the microphone and the echo that was predicted.
    void process(std::span<const float> microphone, std::span<float> error, std::span<float> echo) noexcept;

    // The far end is read `blocks` later from now on: partition p becomes p - blocks.
    void shift(std::ptrdiff_t blocks) noexcept;

    // The path may have changed: each coefficient's uncertainty is at least this share of its power.
    void doubt(float share) noexcept;

    // Keep what has been learned, but be as unsure of it as at the beginning.
    void forget_certainty() noexcept;

    // Take over what another filter on the same far end has learned, with or without its certainty.
    void learn_from(const AdaptiveFilter& other, bool with_variance) noexcept;

    // Expected power of the echo that is still in the error, per bin, from the coefficients' uncertainty.
    std::span<const float> residual_power() const noexcept { return residual_; }

    // The last block's error as a spectrum, and what power it was expected to have, near end and all.
    FarSpectrum error_spectrum() const noexcept { return {sum_real_.data(), sum_imag_.data()}; }
    std::span<const float> expected_power() const noexcept { return expected_; }

    // What it would predict of other signals: of `other`'s channels `first`, `first + step` and so on, one for each of
    // the far end's, as far as `other` reaches back. The first `bins`, added to `sum`; half of it wraps around in time.
    void predict(const FarSpectra& other, std::size_t first, std::size_t step, Prediction sum,
                 std::size_t bins) noexcept;

    // What has been learned, as samples of a response; the mean of the channels'.
    void impulse_response(std::span<float> response) noexcept;

    void reset() noexcept;

  private:
    void forget() noexcept;
    void predict() noexcept;
    void adapt(std::span<const float> error) noexcept;
    void constrain(std::size_t row) noexcept;
    void recover_from_divergence(std::span<const float> microphone, std::span<float> error,
                                 std::span<float> echo) noexcept;
    Coefficients row(std::size_t index) noexcept;

    const FarSpectra* far_;
    Config config_;
    const PartitionLoops* loops_;
    std::size_t block_, bins_, rows_;  // rows: channels x partitions
    RealFft fft_;
    std::size_t to_constrain_ = 0;
    std::vector<float> real_, imag_;  // coefficients, rows of bins
    std::vector<float> variance_;     // of the coefficients' error
    std::vector<float> near_power_, residual_, expected_, gain_real_, gain_imag_, share_, sum_real_, sum_imag_, time_;
    float microphone_power_ = 0.0f, error_power_ = 0.0f;
};

}  // namespace spike
