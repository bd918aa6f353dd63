// Removes the loudspeaker's sound from the microphone and leaves the person who talks over it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dsp/echo/adaptive_filter.hpp"
#include "dsp/echo/delay_finder.hpp"
#include "dsp/echo/residual_suppressor.hpp"

namespace spike {

struct EchoStats {
    float erle_db = 0.0f;      // echo return loss enhancement while the far end is heard
    float delay_ms = 0.0f;     // from far end to microphone
    float drift_ppm = 0.0f;    // of the two clocks; not measured yet, always 0
    bool converged = false;    // the model takes at least 6 dB off
    float double_talk = 0.0f;  // probability that the near end talks, 0 to 1
};

class EchoCanceller {
  public:
    struct Config {
        int sample_rate_hz = 48000;
        std::size_t far_channels = 1;
        std::size_t tail_ms = 260;
        std::size_t max_delay_ms = 1000;
    };

    // Throws std::invalid_argument where a rate or channel count is not supported.
    explicit EchoCanceller(const Config& config);

    std::size_t frame_samples() const noexcept { return frame_; }
    std::size_t far_channels() const noexcept { return config_.far_channels; }
    std::size_t latency_samples() const noexcept { return frame_; }

    // One frame of 10 ms. `far` holds the far end's channels after one another. `out` may be `microphone`.
    void process(std::span<const float> microphone, std::span<const float> far, std::span<float> out) noexcept;

    const EchoStats& stats() const noexcept { return stats_; }
    void reset() noexcept;

  private:
    void follow_delay(std::span<const float> microphone, std::span<const float> far) noexcept;
    void update_stats(std::span<const float> microphone, std::span<const float> out, float far_power) noexcept;

    Config config_;
    std::size_t frame_;
    AdaptiveFilter filter_;
    DelayFinder delay_finder_;
    ResidualSuppressor suppressor_;
    std::vector<float> far_mono_, error_, echo_;
    // The suppressor delays by a frame: what leaves is measured against the microphone of the same moment.
    std::vector<float> microphone_, delayed_microphone_;
    std::size_t proposed_ = 0;  // the last delay that the model does not cover, in blocks
    int proofs_ = 0;            // how often in a row it was found
    bool has_worked_ = false;   // the model has converged since it was placed
    float microphone_power_ = 0.0f, error_power_ = 0.0f, out_power_ = 0.0f;
    EchoStats stats_;
};

}  // namespace spike
