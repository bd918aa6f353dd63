#include "pipeline/capture_pipeline.hpp"

#include <algorithm>

#include "base/denormals.hpp"

namespace spike {
namespace {

constexpr float high_pass_hz = 80.0f;
// While the far end is heard, this much of the cleaned signal must be near end for it to count as a voice.
constexpr float least_double_talk = 0.25f;
constexpr float far_heard_power = 1e-6f;

}  // namespace

CapturePipeline::CapturePipeline(const Config& config)
    : config_(config),
      frame_(static_cast<std::size_t>(std::max(config.sample_rate_hz, 0)) / 100),
      high_pass_(config.sample_rate_hz, high_pass_hz),
      echo_canceller_({.sample_rate_hz = config.sample_rate_hz, .far_channels = config.far_channels}),
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
    stats_ = {};
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

    float far_power = 0.0f;
    for (const float sample : far) far_power += sample * sample / static_cast<float>(far.size());
    stats_.echo = echo_canceller_.stats();
    const bool echo_possible = config_.echo_cancellation && far_power > far_heard_power;
    stats_.speech_probability = voice_detector_.probability();
    stats_.voice_active = voice_detector_.active() && (!echo_possible || stats_.echo.double_talk > least_double_talk);
    stats_.input_level_dbfs = input_meter_.rms_dbfs();
    stats_.output_level_dbfs = output_meter_.rms_dbfs();
}

}  // namespace spike
