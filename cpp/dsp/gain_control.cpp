#include "dsp/gain_control.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "base/denormals.hpp"
#include "base/power.hpp"

namespace spike {
namespace {

constexpr float least_db = -100.0f;
constexpr float speech_probability = 0.6f;
constexpr float noise_rise_db = 0.03f, noise_fall = 0.2f;  // a frame
// A frame tells of the level of speech where it stands out of the noise, and is no gap between two sounds.
constexpr float out_of_noise_db = 10.0f, within_speech_db = 15.0f;
constexpr float loudest_fall_db = 0.5f;  // a frame of speech
constexpr int slow_frames = 300, quick_frames = 30, first_frames = 10;
constexpr float apart_db = 6.0f;
constexpr int frames_apart = 15;
// Frames are averaged as decibels, which is less than the root mean square of speech by so much.
constexpr float mean_of_decibels_db = 1.7f;
constexpr float rise_db = 0.5f, fall_db = 0.6f;  // of the gain, a frame
// What stands out of the noise by the first gets no gain, by the second all of it.
constexpr float no_gain_db = 4.0f, all_gain_db = 10.0f;
constexpr float presence_kept = 0.93f;  // a frame: 0.14 s
constexpr float attack_s = 0.001f, release_s = 0.2f;

float decibels(float power) noexcept { return std::max(least_db, 10.0f * std::log10(power + 1e-12f)); }

GainControl::Config validated(const GainControl::Config& config) {
    if (config.sample_rate_hz < 8000 || config.sample_rate_hz > 48000)
        throw std::invalid_argument("sample_rate_hz must be from 8000 to 48000, not " +
                                    std::to_string(config.sample_rate_hz));
    if (!(config.target_dbfs >= -40.0f && config.target_dbfs <= -10.0f))
        throw std::invalid_argument("target_dbfs must be from -40 to -10");
    if (!(config.max_gain_db >= 0.0f && config.max_gain_db <= 50.0f))
        throw std::invalid_argument("max_gain_db must be from 0 to 50");
    return config;
}

}  // namespace

GainControl::GainControl(const Config& config)
    : config_(validated(config)),
      frame_(static_cast<std::size_t>(config.sample_rate_hz) / 100),
      detector_({.sample_rate_hz = config.sample_rate_hz}),
      attack_step_(1.0f / (attack_s * static_cast<float>(config.sample_rate_hz))),
      release_step_(1.0f / (release_s * static_cast<float>(config.sample_rate_hz))),
      limits_(frame_) {}

void GainControl::follow_noise(float level_db) noexcept {
    float& noise_db = state_.noise_db;
    if (state_.frames == 0) noise_db = std::min(level_db, -50.0f);
    state_.frames = 1;
    noise_db += level_db < noise_db ? noise_fall * (level_db - noise_db) : std::min(noise_rise_db, level_db - noise_db);
}

void GainControl::learn(float level_db) noexcept {
    state_.loudest_db = std::max(level_db, state_.loudest_db - loudest_fall_db);
    if (level_db < std::max(state_.noise_db + out_of_noise_db, state_.loudest_db - within_speech_db)) return;
    state_.slow_frames = std::min(slow_frames, state_.slow_frames + 1);
    const float slow_share = 1.0f / static_cast<float>(state_.slow_frames);
    const float quick_share = 1.0f / static_cast<float>(std::min(quick_frames, state_.slow_frames));
    state_.slow_db += slow_share * (level_db - state_.slow_db);
    state_.quick_db += quick_share * (level_db - state_.quick_db);
    const float apart = state_.quick_db - state_.slow_db;
    state_.frames_apart = std::abs(apart) > apart_db ? state_.frames_apart + 1 : 0;
    if (state_.frames_apart < frames_apart) return;
    state_.slow_db = state_.quick_db;  // another talker, or another place
    state_.slow_frames = quick_frames;
    state_.frames_apart = 0;
}

void GainControl::follow_gain() noexcept {
    if (state_.slow_frames < first_frames) return;
    const float wanted =
        std::clamp(config_.target_dbfs - (state_.slow_db + mean_of_decibels_db), -most_cut_db, config_.max_gain_db);
    state_.gain_db += std::clamp(wanted - state_.gain_db, -fall_db, rise_db);
}

void GainControl::reset() noexcept {
    detector_.reset();
    state_ = {};
}

void GainControl::process(std::span<const float> in, std::span<float> out) noexcept {
    process(in, detector_.process(in) > speech_probability ? Talker::somebody : Talker::perhaps, out);
}

void GainControl::process(std::span<const float> in, Talker talker, std::span<float> out) noexcept {
    const DenormalsOff denormals_off;
    const float level_db = decibels(mean_power(in));
    follow_noise(level_db);
    if (talker == Talker::somebody) {
        learn(level_db);
        follow_gain();
    }
    const float above_noise = (level_db - state_.noise_db - no_gain_db) / (all_gain_db - no_gain_db);
    const float stands_out = talker == Talker::nobody ? 0.0f : above_noise;
    state_.presence = std::max(std::clamp(stands_out, 0.0f, 1.0f), presence_kept * state_.presence);
    // A cut holds for pauses too: they were no quieter before.
    const float now_db = state_.gain_db > 0.0f ? state_.presence * state_.gain_db : state_.gain_db;
    const float from = state_.applied, to = std::pow(10.0f, now_db / 20.0f);
    for (std::size_t n = 0; n < in.size(); ++n)
        out[n] = in[n] * (from + (to - from) * static_cast<float>(n + 1) / static_cast<float>(in.size()));
    state_.applied = to;
    limit(out);
}

void GainControl::limit(std::span<float> samples) noexcept {
    float most = state_.limit;
    for (std::size_t n = 0; n < samples.size(); ++n) {
        most = std::min({1.0f, most + release_step_, ceiling / (std::abs(samples[n]) + 1e-9f)});
        limits_[n] = most;
    }
    state_.limit = most;
    for (std::size_t n = samples.size(); n-- > 0;) {
        limits_[n] = std::min(limits_[n], most);
        most = limits_[n] + attack_step_;
    }
    for (std::size_t n = 0; n < samples.size(); ++n) samples[n] *= limits_[n];
}

}  // namespace spike
