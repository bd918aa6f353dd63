// Takes out of the adaptive filter's error what echo is left in it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/fft.hpp"

namespace spike {

// A Wiener gain per frequency against an estimate of the residual echo's power. The estimate joins two views: the
// adaptive filter's own uncertainty, and the leakage, the share of the predicted echo whose ups and downs are found
// again in the error. The near end, which follows neither, stays.
//
// Method: leakage after J.-M. Valin, "On adjusting the learning rate in frequency domain echo cancellation with
// double-talk", IEEE Transactions on Audio, Speech, and Language Processing 15 (2007); decision-directed gain after
// Y. Ephraim and D. Malah (1984). Delays by one block.
class ResidualSuppressor {
  public:
    ResidualSuppressor(std::size_t block_samples, int sample_rate_hz);

    // One block of the adaptive filter's error and echo: their spectra are there to read until `suppress`.
    void analyse(std::span<const float> error, std::span<const float> echo) noexcept;
    std::span<const float> error_real() const noexcept { return error_real_; }
    std::span<const float> error_imag() const noexcept { return error_imag_; }
    std::span<const float> echo_real() const noexcept { return echo_real_; }
    std::span<const float> echo_imag() const noexcept { return echo_imag_; }

    // What is left of that block. `uncertainty`: residual power per bin as AdaptiveFilter gives it.
    void suppress(std::span<const float> uncertainty, std::span<float> out) noexcept;

    // How likely the near end talks, 0 to 1, as of the last block.
    float near_end_probability() const noexcept { return near_end_probability_; }

    void reset() noexcept;

  private:
    void transform(std::span<const float> samples, std::span<float> previous, std::span<float> real,
                   std::span<float> imag) noexcept;
    void update_leakage() noexcept;
    void update_residual(std::span<const float> uncertainty) noexcept;
    void update_gains() noexcept;

    std::size_t block_;
    RealFft fft_;
    std::size_t speech_from_, speech_to_;  // the bins of 200 to 4000 Hz
    std::vector<float> window_, time_, overlap_, previous_error_, previous_echo_;
    std::vector<float> error_real_, error_imag_, echo_real_, echo_imag_;
    std::vector<float> error_power_, echo_power_;  // of this block
    std::vector<float> error_mean_, echo_mean_;    // tracked
    std::vector<float> cross_variation_, echo_variation_;
    std::vector<float> echo_tail_, residual_, noise_, clean_, gain_;
    float near_end_probability_ = 0.0f;
    std::size_t blocks_ = 0;
};

}  // namespace spike
