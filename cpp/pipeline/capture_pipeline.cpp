#include "pipeline/capture_pipeline.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "base/denormals.hpp"
#include "base/power.hpp"

namespace spike {
namespace {

// What rumbles is noise and disturbs the models; who asks for neither gets the voice with its depth, without its
// offset.
constexpr float high_pass_hz = 80.0f, offset_hz = 20.0f;
// Whether there is a near end is decided over some frames, by the sum of its log odds in each (A. Wald, "Sequential
// tests of statistical hypotheses", Annals of Mathematical Statistics, 1945): the first moments of an echo that nothing
// is known of look like a voice, too, but less surely. A voice is the exception, and no single frame decides.
constexpr float odds_without_news = -1.5f;
constexpr float least_news = -2.0f, most_news = 3.5f;
constexpr float enough_evidence = 8.0f, most_evidence = 18.0f;
constexpr int gate_frames = 30;
// Who only wants to wait for a moment because somebody may talk does not wait for so much.
constexpr float enough_suspicion = 4.0f, most_suspicion = 14.0f;
constexpr float suspected_probability = 0.5f;
// While the loudspeaker plays, a voice is not far below its echo: neither in what the linear stage leaves nor in what
// is sent. What is, is what is left of the echo.
constexpr float least_share_left = 0.06f, least_share_sent = 0.03f;
constexpr float power_smoothing = 0.8f;  // 50 ms
constexpr float voice_probability = 0.6f;
constexpr int voice_frames = 20;          // how long a pause still counts as speech
constexpr float far_heard_power = 1e-7f;  // -70 dBFS
constexpr int far_frames = 40;            // a room's reverberation

float log_odds(float probability) noexcept {
    constexpr float never = 1e-4f;
    return std::log((probability + never) / (1.0f - probability + never));
}

}  // namespace

CapturePipeline::CapturePipeline(const Config& config)
    : config_(config),
      frame_(static_cast<std::size_t>(std::max(config.sample_rate_hz, 0)) / 100),
      high_pass_(config.sample_rate_hz,
                 config.echo_cancellation || config.noise_suppression ? high_pass_hz : offset_hz),
      voice_detector_({.sample_rate_hz = config.sample_rate_hz}),
      work_(frame_) {
    if (config.far_channels < 1 || config.far_channels > 2)
        throw std::invalid_argument("far_channels must be 1 or 2, not " + std::to_string(config.far_channels));
    if (config.echo_cancellation)
        echo_canceller_.emplace(EchoCanceller::Config{.sample_rate_hz = config.sample_rate_hz,
                                                      .far_channels = config.far_channels,
                                                      .weights = config.echo_weights});
    if (config.noise_suppression)
        noise_suppressor_.emplace(NoiseSuppressor::Config{.sample_rate_hz = config.sample_rate_hz,
                                                          .attenuation_db = config.noise_attenuation_db,
                                                          .weights = config.noise_weights});
    if (config.gain_control) gain_control_.emplace(GainControl::Config{.sample_rate_hz = config.sample_rate_hz});
    late_powers_.resize(std::max<std::size_t>(1, latency_samples() / frame_));
}

std::size_t CapturePipeline::latency_samples() const noexcept {
    return (echo_canceller_ ? echo_canceller_->latency_samples() : 0) +
           (noise_suppressor_ ? noise_suppressor_->latency_samples() : 0);
}

void CapturePipeline::reset() noexcept {
    high_pass_.reset();
    if (echo_canceller_) echo_canceller_->reset();
    if (noise_suppressor_) noise_suppressor_->reset();
    voice_detector_.reset();
    if (gain_control_) gain_control_->reset();
    input_meter_.reset();
    output_meter_.reset();
    std::fill(late_powers_.begin(), late_powers_.end(), 0.0f);
    state_ = {};
}

void CapturePipeline::follow_levels(std::span<const float> far, std::span<const float> out) noexcept {
    // What is sent now was in the microphone some frames ago.
    const float heard_power = late_powers_[state_.late_at];
    late_powers_[state_.late_at] = state_.power_heard;
    state_.late_at = (state_.late_at + 1) % late_powers_.size();
    state_.microphone_power += (1.0f - power_smoothing) * (heard_power - state_.microphone_power);
    state_.sent_power += (1.0f - power_smoothing) * (mean_power(out) - state_.sent_power);
    state_.far_frames_left = mean_power(far) > far_heard_power ? far_frames : std::max(0, state_.far_frames_left - 1);
}

bool CapturePipeline::somebody_talks() noexcept {
    if (!echo_canceller_) return voice_detector_.active();
    if (state_.stats.delay_in_doubt) {  // what is heard may be the echo at another delay
        state_.evidence = 0.0f;
        state_.gate_left = state_.voice_left = 0;
        return false;
    }
    const bool is_alone = state_.far_frames_left == 0;
    const bool is_enough = is_alone || state_.stats.share_left > least_share_left;
    const float news = is_enough ? log_odds(state_.stats.near_end) + odds_without_news : least_news;
    state_.evidence = std::clamp(state_.evidence + std::clamp(news, least_news, most_news), 0.0f, most_evidence);
    state_.gate_left = state_.evidence >= enough_evidence ? gate_frames : std::max(0, state_.gate_left - 1);
    const bool is_loud = is_alone || state_.sent_power > least_share_sent * state_.microphone_power;
    const bool is_voice = is_loud && voice_detector_.probability() > voice_probability;
    state_.voice_left = is_voice ? voice_frames : std::max(0, state_.voice_left - 1);
    return state_.gate_left > 0 && state_.voice_left > 0;
}

// After somebody_talks(), of the same frame.
bool CapturePipeline::somebody_may_talk() noexcept {
    const bool is_voice = voice_detector_.probability() >= suspected_probability;
    if (!echo_canceller_) return is_voice;
    const bool is_enough = state_.far_frames_left == 0 || state_.stats.share_left > least_share_left;
    const float news = log_odds(state_.stats.near_end);
    state_.suspicion = std::clamp(state_.suspicion + std::clamp(news, least_news, most_news), 0.0f, most_suspicion);
    if (state_.stats.delay_in_doubt || !is_enough) state_.suspicion = 0.0f;
    return is_voice && (state_.stats.voice_active || state_.suspicion >= enough_suspicion);
}

// What is left of the loudspeaker's sound gets no gain.
GainControl::Talker CapturePipeline::talker() const noexcept {
    using enum GainControl::Talker;
    const bool is_voice = voice_detector_.probability() > voice_probability;
    if (!echo_canceller_) return is_voice ? somebody : perhaps;
    if (state_.stats.voice_active) return is_voice ? somebody : perhaps;
    return state_.far_frames_left > 0 ? nobody : perhaps;
}

void CapturePipeline::process(std::span<const float> microphone, std::span<const float> far,
                              std::span<float> out) noexcept {
    const DenormalsOff denormals_off;
    input_meter_.process(microphone);
    std::copy(microphone.begin(), microphone.end(), work_.begin());
    high_pass_.process(work_);
    state_.power_heard = mean_power(work_);
    if (echo_canceller_) echo_canceller_->process(work_, far, work_);
    if (noise_suppressor_) noise_suppressor_->process(work_, work_);
    voice_detector_.process(work_);
    follow_levels(far, work_);

    if (echo_canceller_) static_cast<EchoStats&>(state_.stats) = echo_canceller_->stats();
    state_.stats.speech_probability = voice_detector_.probability();
    state_.stats.voice_active = somebody_talks();
    state_.stats.voice_suspected = somebody_may_talk();
    if (gain_control_) {
        gain_control_->process(work_, talker(), work_);
        state_.stats.gain_db = gain_control_->gain_db();
    }
    std::copy(work_.begin(), work_.end(), out.begin());
    output_meter_.process(out);
    state_.stats.input_level_dbfs = input_meter_.rms_dbfs();
    state_.stats.output_level_dbfs = output_meter_.rms_dbfs();
}

}  // namespace spike
