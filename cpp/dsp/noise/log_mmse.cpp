#include "dsp/noise/log_mmse.hpp"

#include <algorithm>
#include <cmath>

namespace spike {
namespace {

constexpr std::size_t bins_per_khz = 20;
constexpr float speech_prior_snr = 31.6f;  // 15 dB: what speech is expected to stand out by, where it is present
constexpr float noise_smoothing = 0.8f;
constexpr float presence_smoothing = 0.9f;
constexpr float most_presence = 0.99f;  // a tracker that believes in speech for ever would never learn noise
constexpr float decision_smoothing = 0.98f;
constexpr float least_prior_snr = 0.003f;  // -25 dB
constexpr float power_floor = 1e-10f;
constexpr std::size_t learning_frames = 10;

// The exponential integral E1, to within 1e-4 relative (M. Abramowitz and I. Stegun, Handbook of Mathematical
// Functions, 5.1.53 and 5.1.54).
float exponential_integral(float x) noexcept {
    if (x < 1.0f) {
        const float series =
            ((((0.00107857f * x - 0.00976004f) * x + 0.05519968f) * x - 0.24991055f) * x + 0.99999193f) * x -
            0.57721566f;
        return series - std::log(x);
    }
    const float above = (x + 2.334733f) * x + 0.250621f;
    const float below = (x + 3.330657f) * x + 1.681534f;
    return std::exp(-x) / x * above / below;
}

}  // namespace

LogMmse::LogMmse(std::size_t bins)
    : speech_from_(600 * bins_per_khz / 1000),
      speech_to_(std::min(7200 * bins_per_khz / 1000, bins - 1)),
      power_(bins),
      noise_(bins),
      clean_(bins),
      presence_(bins) {}

void LogMmse::reset() noexcept {
    for (auto* buffer : {&noise_, &clean_, &presence_}) std::fill(buffer->begin(), buffer->end(), 0.0f);
    speech_probability_ = 0.0f;
    frames_ = 0;
}

void LogMmse::track_noise() noexcept {
    if (frames_ < learning_frames) {  // the first tenth of a second is taken as noise
        const float weight = 1.0f / static_cast<float>(++frames_);
        for (std::size_t k = 0; k < power_.size(); ++k) noise_[k] += weight * (power_[k] - noise_[k]);
        return;
    }
    constexpr float speech_gain = speech_prior_snr / (1.0f + speech_prior_snr);
    float sum = 0.0f;
    for (std::size_t k = 0; k < power_.size(); ++k) {
        const float ratio = power_[k] / (noise_[k] + power_floor);
        const float absent = (1.0f + speech_prior_snr) * std::exp(-std::min(ratio * speech_gain, 60.0f));
        float presence = 1.0f / (1.0f + absent);
        presence_[k] = presence_smoothing * presence_[k] + (1.0f - presence_smoothing) * presence;
        if (presence_[k] > most_presence) presence = std::min(presence, most_presence);
        const float expected = (1.0f - presence) * power_[k] + presence * noise_[k];
        noise_[k] = noise_smoothing * noise_[k] + (1.0f - noise_smoothing) * expected;
        if (k >= speech_from_ && k <= speech_to_) sum += presence;
    }
    speech_probability_ = sum / static_cast<float>(speech_to_ - speech_from_ + 1);
}

void LogMmse::process(SpectrumSpan spectrum, float least_gain) noexcept {
    const auto [real, imag] = spectrum;
    for (std::size_t k = 0; k < power_.size(); ++k) power_[k] = real[k] * real[k] + imag[k] * imag[k];
    track_noise();
    for (std::size_t k = 0; k < power_.size(); ++k) {
        const float noise = noise_[k] + power_floor;
        const float posterior = std::min(power_[k] / noise, 1000.0f);
        const float prior = std::max(
            decision_smoothing * clean_[k] / noise + (1.0f - decision_smoothing) * std::max(posterior - 1.0f, 0.0f),
            least_prior_snr);
        const float share = prior / (1.0f + prior);
        const float v = std::max(share * posterior, 1e-4f);
        const float gain = std::clamp(share * std::exp(0.5f * exponential_integral(v)), least_gain, 1.0f);
        clean_[k] = gain * gain * power_[k];
        real[k] *= gain;
        imag[k] *= gain;
    }
}

}  // namespace spike
