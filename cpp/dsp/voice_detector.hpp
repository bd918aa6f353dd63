// Says whether somebody talks.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "base/stft.hpp"

namespace spike {

// How far four bands of speech stand out of their own noise floors, as a probability with a quick attack and a
// hangover. Meant for a signal that is clean already: after the echo canceller and the noise suppressor.
class VoiceDetector {
  public:
    struct Config {
        int sample_rate_hz = 48000;
        int hangover_ms = 200;  // how long a pause still counts as speech
    };

    // Throws std::invalid_argument for a rate outside 8000 to 48000 or not divisible by 100, or a negative hangover.
    explicit VoiceDetector(const Config& config);

    std::size_t frame_samples() const noexcept { return frame_; }

    // One frame of 10 ms; returns the probability of speech, 0 to 1.
    float process(std::span<const float> frame) noexcept;

    float probability() const noexcept { return probability_; }
    bool active() const noexcept { return hangover_left_ > 0; }

    void reset() noexcept;

  private:
    static constexpr std::size_t bands = 4;

    std::size_t frame_;
    Stft stft_;
    Stft::Analysis signal_;
    int hangover_frames_;
    std::array<std::size_t, bands + 1> edges_{};
    std::array<float, bands> floor_db_{};
    float probability_ = 0.0f;
    int hangover_left_ = 0;
};

}  // namespace spike
