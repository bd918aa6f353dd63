#include "dsp/noise_suppressor.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "base/window.hpp"

namespace spike {
namespace {

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

NoiseSuppressor::Config validated(const NoiseSuppressor::Config& config) {
    if (config.sample_rate_hz < 8000 || config.sample_rate_hz > 48000 || config.sample_rate_hz % 100 != 0)
        throw std::invalid_argument("sample_rate_hz must be a multiple of 100 from 8000 to 48000, not " +
                                    std::to_string(config.sample_rate_hz));
    return config;
}

}  // namespace

NoiseSuppressor::NoiseSuppressor(const Config& config)
    : frame_(static_cast<std::size_t>(validated(config).sample_rate_hz) / 100),
      fft_(2 * frame_),
      window_(sqrt_hann(2 * frame_)) {
    const auto rate = static_cast<std::size_t>(config.sample_rate_hz);
    speech_from_ = std::size_t{600} * frame_ / rate;
    speech_to_ = std::min<std::size_t>(std::size_t{7200} * frame_ / rate, fft_.bins() - 1);
    time_.resize(2 * frame_);
    previous_.resize(frame_);
    overlap_.resize(frame_);
    for (auto* buffer : {&real_, &imag_, &power_, &noise_, &clean_, &presence_}) buffer->resize(fft_.bins());
    set_attenuation_db(config.attenuation_db);
    reset();
}

void NoiseSuppressor::set_attenuation_db(float attenuation_db) {
    if (!(attenuation_db >= 0.0f && attenuation_db <= 60.0f))
        throw std::invalid_argument("attenuation_db must be from 0 to 60");
    attenuation_db_ = attenuation_db;
    least_gain_ = std::pow(10.0f, -attenuation_db / 20.0f);
}

void NoiseSuppressor::reset() noexcept {
    for (auto* buffer : {&previous_, &overlap_, &noise_, &clean_, &presence_})
        std::fill(buffer->begin(), buffer->end(), 0.0f);
    speech_probability_ = 0.0f;
    frames_ = 0;
}

void NoiseSuppressor::track_noise() noexcept {
    if (frames_ < learning_frames) {  // the first tenth of a second is taken as noise
        const float weight = 1.0f / static_cast<float>(++frames_);
        for (std::size_t k = 0; k < fft_.bins(); ++k) noise_[k] += weight * (power_[k] - noise_[k]);
        return;
    }
    constexpr float speech_gain = speech_prior_snr / (1.0f + speech_prior_snr);
    float sum = 0.0f;
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
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

void NoiseSuppressor::update_gains() noexcept {
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        const float noise = noise_[k] + power_floor;
        const float posterior = std::min(power_[k] / noise, 1000.0f);
        const float prior = std::max(
            decision_smoothing * clean_[k] / noise + (1.0f - decision_smoothing) * std::max(posterior - 1.0f, 0.0f),
            least_prior_snr);
        const float share = prior / (1.0f + prior);
        const float v = std::max(share * posterior, 1e-4f);
        const float gain = std::clamp(share * std::exp(0.5f * exponential_integral(v)), least_gain_, 1.0f);
        clean_[k] = gain * gain * power_[k];
        real_[k] *= gain;
        imag_[k] *= gain;
    }
}

void NoiseSuppressor::process(std::span<const float> in, std::span<float> out) noexcept {
    for (std::size_t n = 0; n < frame_; ++n) {
        time_[n] = previous_[n] * window_[n];
        time_[frame_ + n] = in[n] * window_[frame_ + n];
        previous_[n] = in[n];
    }
    fft_.forward(time_, real_, imag_);
    for (std::size_t k = 0; k < fft_.bins(); ++k) power_[k] = real_[k] * real_[k] + imag_[k] * imag_[k];
    track_noise();
    update_gains();
    fft_.inverse(real_, imag_, time_);
    for (std::size_t n = 0; n < frame_; ++n) {
        out[n] = overlap_[n] + time_[n] * window_[n];
        overlap_[n] = time_[frame_ + n] * window_[frame_ + n];
    }
}

}  // namespace spike
