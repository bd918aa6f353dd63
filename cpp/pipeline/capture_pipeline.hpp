// Everything that happens to a microphone's samples before they are sent, in one call.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "dsp/echo_canceller.hpp"
#include "dsp/gain_control.hpp"
#include "dsp/high_pass.hpp"
#include "dsp/level_meter.hpp"
#include "dsp/noise_suppressor.hpp"
#include "dsp/voice_detector.hpp"

namespace spike {

struct CaptureStats : EchoStats {
    float speech_probability = 0.0f;  // in the cleaned signal
    bool voice_active = false;        // the near end talks; the own loudspeaker does not count
    bool voice_suspected = false;     // it may talk: told sooner, and wrong more often
    float input_level_dbfs = LevelMeter::floor_dbfs;
    float output_level_dbfs = LevelMeter::floor_dbfs;
    float gain_db = 0.0f;  // that the voice gets from the gain control
};

// High-pass, echo canceller, noise suppressor, voice detector, gain control and meters, in this fixed order.
class CapturePipeline {
  public:
    struct Config {
        int sample_rate_hz = 48000;
        bool echo_cancellation = true;
        bool noise_suppression = true;
        bool gain_control = false;
        std::size_t far_channels = 1;
        std::optional<float> noise_attenuation_db = std::nullopt;  // at most; else as the suppressor does
        std::shared_ptr<const Weights> noise_weights = nullptr;    // none: the classical suppressor
        std::shared_ptr<const Weights> echo_weights = nullptr;     // none: spectral only
    };

    // Throws std::invalid_argument as its stages do.
    explicit CapturePipeline(const Config& config);

    std::size_t frame_samples() const noexcept { return frame_; }
    std::size_t far_channels() const noexcept { return config_.far_channels; }
    std::size_t latency_samples() const noexcept;

    // One frame of 10 ms. `far` holds the far end's channels after one another. `out` may be `microphone`.
    void process(std::span<const float> microphone, std::span<const float> far, std::span<float> out) noexcept;

    const CaptureStats& stats() const noexcept { return state_.stats; }
    void reset() noexcept;

  private:
    void follow_levels(std::span<const float> far, std::span<const float> out) noexcept;
    bool somebody_talks() noexcept;
    bool somebody_may_talk() noexcept;
    GainControl::Talker talker() const noexcept;

    Config config_;
    std::size_t frame_;
    HighPass high_pass_;
    std::optional<EchoCanceller> echo_canceller_;
    std::optional<NoiseSuppressor> noise_suppressor_;
    VoiceDetector voice_detector_;
    std::optional<GainControl> gain_control_;
    LevelMeter input_meter_, output_meter_;
    std::vector<float> work_, late_powers_;  // a frame; the microphone's power in each of the last ones
    struct State {
        std::size_t late_at = 0;
        float power_heard = 0.0f, microphone_power = 0.0f, sent_power = 0.0f;
        int far_frames_left = 0, voice_left = 0;  // for which the far end and a voice still count as heard
        float evidence = 0.0f;                    // log odds of a near end, of late
        float suspicion = 0.0f;                   // the same, a near end being as likely as none beforehand
        int gate_left = 0;                        // frames for which the gate stays open
        CaptureStats stats;
    };
    State state_;
};

}  // namespace spike
