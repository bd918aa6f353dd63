// Turns down what is not speech.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/stft_bank.hpp"
#include "dsp/noise/log_mmse.hpp"
#include "dsp/noise/speech_filter.hpp"

namespace spike {

// With weights the neural suppressor, in windows of 30 ms, delayed by two frames of 10 ms; without, the classical one,
// in windows of 20 ms, delayed by one. Windows are 10 ms apart. May serve several streams: a network's weights are then
// read once for four of them, and sixteen are transformed side by side.
class NoiseSuppressor {
  public:
    struct Config {
        int sample_rate_hz = 48000;
        std::optional<float> attenuation_db = std::nullopt;  // at most; else as the mode does
        std::shared_ptr<const Weights> weights = nullptr;    // none: classical
        std::size_t streams = 1;
    };

    static constexpr float classical_attenuation_db = 12.0f, neural_attenuation_db = 60.0f;

    // Throws std::invalid_argument for a rate outside 8000 to 48000 or not divisible by 100, an attenuation outside 0
    // to 60 dB or no stream, and WeightsError for weights of another network.
    explicit NoiseSuppressor(const Config& config);

    std::size_t frame_samples() const noexcept { return frame_; }
    std::size_t streams() const noexcept { return stft_.streams(); }
    std::size_t latency_samples() const noexcept { return stft_.overlap(); }

    // One frame of 10 ms of each stream, one stream after the other. `out` may be `in`.
    void process(std::span<const float> in, std::span<float> out) noexcept;

    // Reached within 50 ms.
    void set_attenuation_db(float attenuation_db);
    float attenuation_db() const noexcept { return attenuation_db_; }

    // Whether the last frame holds speech, 0 to 1.
    float speech_probability(std::size_t stream = 0) const noexcept;

    void reset() noexcept;

  private:
    std::size_t frame_;
    StftBank stft_;
    float attenuation_db_ = 0.0f, least_gain_ = 0.0f, kept_ = 0.0f;
    std::vector<LogMmse> classical_;
    std::optional<SpeechFilter> network_;
};

}  // namespace spike
