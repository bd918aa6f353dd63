#include "dsp/echo_canceller.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

namespace spike {
namespace {

constexpr std::array supported_rates_hz{16000, 24000, 32000, 44100, 48000};
constexpr float far_active_power = 1e-7f;  // -70 dBFS
constexpr float power_smoothing = 0.99f;   // one second
constexpr float converged_db = 6.0f;
// The model begins this much before the delay that was found: the correlation's peak is not always the first path.
constexpr std::size_t lead_blocks = 2;
// A delay that the model covers with room to spare is left alone: moving it costs what the moved parts have learned.
constexpr std::size_t covered_blocks = 12;
constexpr int proofs_against_a_model = 8;  // about a second
constexpr float far_end_alone = 0.15f;     // probability of a near end below which the echo can be measured

EchoCanceller::Config validated(const EchoCanceller::Config& config) {
    if (std::find(supported_rates_hz.begin(), supported_rates_hz.end(), config.sample_rate_hz) ==
        supported_rates_hz.end())
        throw std::invalid_argument("sample_rate_hz must be 16000, 24000, 32000, 44100 or 48000, not " +
                                    std::to_string(config.sample_rate_hz));
    if (config.far_channels < 1 || config.far_channels > 2)
        throw std::invalid_argument("far_channels must be 1 or 2, not " + std::to_string(config.far_channels));
    return config;
}

float mean_power(std::span<const float> samples) noexcept {
    float sum = 0.0f;
    for (const float sample : samples) sum += sample * sample;
    return sum / static_cast<float>(samples.size());
}

float ratio_db(float above, float below) noexcept { return 10.0f * std::log10((above + 1e-12f) / (below + 1e-12f)); }

}  // namespace

EchoCanceller::EchoCanceller(const Config& config)
    : config_(validated(config)),
      frame_(static_cast<std::size_t>(config.sample_rate_hz) / 100),
      filter_({frame_, config.tail_ms / 10, config.max_delay_ms / 10, config.far_channels}),
      delay_finder_({config.sample_rate_hz, config.max_delay_ms}),
      suppressor_(frame_, config.sample_rate_hz),
      far_mono_(frame_),
      error_(frame_),
      echo_(frame_),
      microphone_(frame_),
      delayed_microphone_(frame_) {}

void EchoCanceller::reset() noexcept {
    filter_.reset();
    delay_finder_.reset();
    suppressor_.reset();
    std::fill(delayed_microphone_.begin(), delayed_microphone_.end(), 0.0f);
    microphone_power_ = error_power_ = out_power_ = 0.0f;
    proposed_ = 0;
    proofs_ = 0;
    has_worked_ = false;
    stats_ = {};
}

void EchoCanceller::follow_delay(std::span<const float> microphone, std::span<const float> far) noexcept {
    for (std::size_t n = 0; n < frame_; ++n) {
        far_mono_[n] = far[n];
        for (std::size_t channel = 1; channel < config_.far_channels; ++channel)
            far_mono_[n] += far[channel * frame_ + n];
    }
    const auto delay = delay_finder_.process(microphone, far_mono_);
    if (!delay) return;
    const std::size_t block = *delay / frame_, first = filter_.delay_blocks();
    const bool covered = block >= first && block <= first + covered_blocks;
    // A model that has worked is given up only for one delay that is seen again and again: a near end that talks makes
    // the finder see many.
    const bool again = std::max(block, proposed_) - std::min(block, proposed_) <= 1;
    proofs_ = covered ? 0 : again ? proofs_ + 1 : 1;
    proposed_ = block;
    if (!covered && proofs_ < (has_worked_ ? proofs_against_a_model : 1)) return;
    stats_.delay_ms = 1000.0f * static_cast<float>(*delay) / static_cast<float>(config_.sample_rate_hz);
    if (covered) return;
    proofs_ = 0;
    has_worked_ = false;
    filter_.set_delay_blocks(block > lead_blocks ? block - lead_blocks : 0);
}

void EchoCanceller::process(std::span<const float> microphone, std::span<const float> far,
                            std::span<float> out) noexcept {
    follow_delay(microphone, far);
    filter_.process(microphone, far, error_, echo_);
    std::copy(microphone.begin(), microphone.end(), microphone_.begin());  // `out` may overwrite it
    suppressor_.process(error_, echo_, filter_.residual_power(), out);
    update_stats(delayed_microphone_, out, mean_power(far_mono_));
    std::swap(microphone_, delayed_microphone_);
}

void EchoCanceller::update_stats(std::span<const float> microphone, std::span<const float> out,
                                 float far_power) noexcept {
    const bool far_active = far_power > far_active_power;
    const float near_end = suppressor_.near_end_probability();
    stats_.double_talk = far_active ? near_end : 0.0f;
    if (!far_active || near_end > far_end_alone) return;
    const auto follow = [](float& mean, float power) { mean += (1.0f - power_smoothing) * (power - mean); };
    follow(microphone_power_, mean_power(microphone));
    follow(error_power_, mean_power(error_));
    follow(out_power_, mean_power(out));
    stats_.erle_db = ratio_db(microphone_power_, out_power_);
    stats_.converged = ratio_db(microphone_power_, error_power_) > converged_db;
    has_worked_ = has_worked_ || stats_.converged;
}

}  // namespace spike
