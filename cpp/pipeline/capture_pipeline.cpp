#include "pipeline/capture_pipeline.hpp"

#include <algorithm>
#include <cmath>

#include "base/denormals.hpp"
#include "dsp/power.hpp"

namespace spike {
namespace {

constexpr float high_pass_hz = 80.0f;
// Whether there is a near end is decided over some frames, by the sum of its log odds in each (A. Wald, "Sequential
// tests of statistical hypotheses", Annals of Mathematical Statistics, 1945): the first moments of an echo that nothing
// is known of look like a voice, too, but less surely. A voice is the exception, and no single frame decides.
constexpr float odds_without_news = -1.5f;
constexpr float least_news = -2.0f, most_news = 3.5f;
constexpr float enough_evidence = 8.0f, most_evidence = 18.0f;
constexpr int gate_frames = 30;
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
      high_pass_(config.sample_rate_hz, high_pass_hz),
      echo_canceller_({.sample_rate_hz = config.sample_rate_hz,
                       .far_channels = config.far_channels,
                       .weights = config.echo_weights}),
      noise_suppressor_({.sample_rate_hz = config.sample_rate_hz, .weights = config.noise_weights}),
      voice_detector_({.sample_rate_hz = config.sample_rate_hz}),
      work_(frame_),
      late_powers_(std::max<std::size_t>(1, latency_samples() / std::max<std::size_t>(1, frame_))) {}

std::size_t CapturePipeline::latency_samples() const noexcept {
    return (config_.echo_cancellation ? echo_canceller_.latency_samples() : 0) +
           (config_.noise_suppression ? noise_suppressor_.latency_samples() : 0);
}

void CapturePipeline::reset() noexcept {
    high_pass_.reset();
    echo_canceller_.reset();
    noise_suppressor_.reset();
    voice_detector_.reset();
    input_meter_.reset();
    output_meter_.reset();
    evidence_ = 0.0f;
    microphone_power_ = sent_power_ = 0.0f;
    std::fill(late_powers_.begin(), late_powers_.end(), 0.0f);
    frames_left_ = voice_left_ = far_frames_left_ = 0;
    stats_ = {};
}

void CapturePipeline::follow_levels(std::span<const float> far, std::span<const float> out) noexcept {
    // What is sent now was in the microphone some frames ago.
    const float heard_power = late_powers_[late_at_];
    late_powers_[late_at_] = mean_power_heard_;
    late_at_ = (late_at_ + 1) % late_powers_.size();
    microphone_power_ += (1.0f - power_smoothing) * (heard_power - microphone_power_);
    sent_power_ += (1.0f - power_smoothing) * (mean_power(out) - sent_power_);
    far_frames_left_ = mean_power(far) > far_heard_power ? far_frames : std::max(0, far_frames_left_ - 1);
}

bool CapturePipeline::somebody_talks() noexcept {
    if (!config_.echo_cancellation) return voice_detector_.active();
    if (stats_.echo.delay_in_doubt) {  // what is heard may be the echo at another delay
        evidence_ = 0.0f;
        frames_left_ = voice_left_ = 0;
        return false;
    }
    const bool is_alone = far_frames_left_ == 0;
    const bool is_enough = is_alone || stats_.echo.share_left > least_share_left;
    const float news = is_enough ? log_odds(stats_.echo.near_end) + odds_without_news : least_news;
    evidence_ = std::clamp(evidence_ + std::clamp(news, least_news, most_news), 0.0f, most_evidence);
    frames_left_ = evidence_ >= enough_evidence ? gate_frames : std::max(0, frames_left_ - 1);
    const bool is_loud = is_alone || sent_power_ > least_share_sent * microphone_power_;
    const bool is_voice = is_loud && voice_detector_.probability() > voice_probability;
    voice_left_ = is_voice ? voice_frames : std::max(0, voice_left_ - 1);
    return frames_left_ > 0 && voice_left_ > 0;
}

void CapturePipeline::process(std::span<const float> microphone, std::span<const float> far,
                              std::span<float> out) noexcept {
    const DenormalsOff denormals_off;
    input_meter_.process(microphone);
    std::copy(microphone.begin(), microphone.end(), work_.begin());
    high_pass_.process(work_);
    mean_power_heard_ = mean_power(work_);
    if (config_.echo_cancellation) echo_canceller_.process(work_, far, work_);
    if (config_.noise_suppression) noise_suppressor_.process(work_, work_);
    std::copy(work_.begin(), work_.end(), out.begin());
    voice_detector_.process(out);
    output_meter_.process(out);
    follow_levels(far, out);

    stats_.echo = echo_canceller_.stats();
    stats_.speech_probability = voice_detector_.probability();
    stats_.voice_active = somebody_talks();
    stats_.input_level_dbfs = input_meter_.rms_dbfs();
    stats_.output_level_dbfs = output_meter_.rms_dbfs();
}

}  // namespace spike
