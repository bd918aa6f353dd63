#include "pipeline/capture_pipeline.hpp"

#include <algorithm>

#include "base/denormals.hpp"

namespace spike {
namespace {

constexpr float high_pass_hz = 80.0f;
// A near end counts once it has been heard for some frames: the first moments of an echo that nothing is known of are
// not a voice.
constexpr float heard_probability = 0.5f;
constexpr float forgotten_a_frame = 0.5f;
constexpr float enough_evidence = 7.0f, most_evidence = 12.0f;
constexpr int gate_frames = 30;

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
      work_(frame_) {}

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
    frames_left_ = 0;
    stats_ = {};
}

bool CapturePipeline::somebody_talks() noexcept {
    if (!config_.echo_cancellation) return true;
    const bool heard = stats_.echo.near_end > heard_probability;
    evidence_ = std::clamp(evidence_ + (heard ? 1.0f : -forgotten_a_frame), 0.0f, most_evidence);
    frames_left_ = evidence_ >= enough_evidence ? gate_frames : std::max(0, frames_left_ - 1);
    return frames_left_ > 0;
}

void CapturePipeline::process(std::span<const float> microphone, std::span<const float> far,
                              std::span<float> out) noexcept {
    const DenormalsOff denormals_off;
    input_meter_.process(microphone);
    std::copy(microphone.begin(), microphone.end(), work_.begin());
    high_pass_.process(work_);
    if (config_.echo_cancellation) echo_canceller_.process(work_, far, work_);
    if (config_.noise_suppression) noise_suppressor_.process(work_, work_);
    std::copy(work_.begin(), work_.end(), out.begin());
    voice_detector_.process(out);
    output_meter_.process(out);

    stats_.echo = echo_canceller_.stats();
    stats_.speech_probability = voice_detector_.probability();
    stats_.voice_active = somebody_talks() && voice_detector_.active();
    stats_.input_level_dbfs = input_meter_.rms_dbfs();
    stats_.output_level_dbfs = output_meter_.rms_dbfs();
}

}  // namespace spike
