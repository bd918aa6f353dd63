// Turns down what is not speech.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/fft.hpp"

namespace spike {

// The minimum mean-square error estimator of the log-spectral amplitude, with a noise floor tracked by the probability
// of speech. 20 ms windows, 10 ms apart; delays by one frame of 10 ms.
//
// Method: Y. Ephraim and D. Malah, "Speech enhancement using a minimum mean-square error log-spectral amplitude
// estimator", IEEE Transactions on Acoustics, Speech, and Signal Processing 33 (1985); T. Gerkmann and R. Hendriks,
// "Unbiased MMSE-based noise power estimation with low complexity and low tracking delay", IEEE Transactions on Audio,
// Speech, and Language Processing 20 (2012).
class NoiseSuppressor {
  public:
    struct Config {
        int sample_rate_hz = 48000;
        float attenuation_db = 12.0f;  // the most that noise is turned down by
    };

    // Throws std::invalid_argument for a rate outside 8000 to 48000 or not divisible by 100, or an attenuation outside
    // 0 to 60 dB.
    explicit NoiseSuppressor(const Config& config);

    std::size_t frame_samples() const noexcept { return frame_; }
    std::size_t latency_samples() const noexcept { return frame_; }

    // One frame of 10 ms. `out` may be `in`.
    void process(std::span<const float> in, std::span<float> out) noexcept;

    // Takes effect from the next frame on; smoothed by the overlap of the windows.
    void set_attenuation_db(float attenuation_db);
    float attenuation_db() const noexcept { return attenuation_db_; }

    // Whether the last frame holds speech, 0 to 1.
    float speech_probability() const noexcept { return speech_probability_; }

    void reset() noexcept;

  private:
    void track_noise() noexcept;
    void update_gains() noexcept;

    std::size_t frame_;
    RealFft fft_;
    std::size_t speech_from_, speech_to_;
    float attenuation_db_, least_gain_ = 0.0f;
    std::vector<float> window_, time_, previous_, overlap_;
    std::vector<float> real_, imag_, power_, noise_, clean_, presence_;
    float speech_probability_ = 0.0f;
    std::size_t frames_ = 0;
};

}  // namespace spike
