// The classical suppressor: gains from a statistical model of speech and a noise floor that is tracked.
#pragma once

#include <cstddef>
#include <vector>

#include "base/spectrum.hpp"

namespace spike {

// The minimum mean-square error estimator of the log-spectral amplitude, with a noise floor tracked by the probability
// of speech. Takes spectra of 20 ms windows, 10 ms apart.
//
// Method: Y. Ephraim and D. Malah, "Speech enhancement using a minimum mean-square error log-spectral amplitude
// estimator", IEEE Transactions on Acoustics, Speech, and Signal Processing 33 (1985); T. Gerkmann and R. Hendriks,
// "Unbiased MMSE-based noise power estimation with low complexity and low tracking delay", IEEE Transactions on Audio,
// Speech, and Language Processing 20 (2012).
class LogMmse {
  public:
    // Of spectra with bins 50 Hz apart.
    explicit LogMmse(std::size_t bins);

    // Cleans a spectrum in place; no gain is below `least_gain`.
    void process(SpectrumSpan spectrum, float least_gain) noexcept;

    float speech_probability() const noexcept { return speech_probability_; }
    void reset() noexcept;

  private:
    void track_noise() noexcept;

    std::size_t speech_from_, speech_to_;
    std::vector<float> power_, noise_, clean_, presence_;
    float speech_probability_ = 0.0f;
    std::size_t frames_ = 0;
};

}  // namespace spike
