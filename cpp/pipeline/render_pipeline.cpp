#include "pipeline/render_pipeline.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace spike {

RenderPipeline::RenderPipeline(int sample_rate_hz) : step_(100.0f / static_cast<float>(sample_rate_hz)) {
    if (sample_rate_hz < 8000 || sample_rate_hz > 192000)
        throw std::invalid_argument("sample_rate_hz must be from 8000 to 192000, not " +
                                    std::to_string(sample_rate_hz));
}

void RenderPipeline::set_gain(float gain) {
    if (!(gain >= 0.0f && gain <= 4.0f)) throw std::invalid_argument("gain must be from 0 to 4");
    target_ = gain;
}

void RenderPipeline::process(std::span<float> samples) noexcept {
    for (float& sample : samples) {
        gain_ += std::clamp(target_ - gain_, -step_, step_);
        sample = std::clamp(sample * gain_, -1.0f, 1.0f);
    }
    meter_.process(samples);
}

void RenderPipeline::reset() noexcept {
    gain_ = target_;
    meter_.reset();
}

}  // namespace spike
