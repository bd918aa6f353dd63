#include "pipeline/rate_bridge.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <string>

namespace spike {
namespace {

constexpr std::array stage_rates_hz{8000, 12000, 16000, 24000, 32000, 44100, 48000};

}  // namespace

int stage_rate_hz(int rate_hz) {
    if (rate_hz < stage_rates_hz.front() || rate_hz > stage_rates_hz.back())
        throw std::invalid_argument("sample_rate_hz must be from 8000 to 48000, not " + std::to_string(rate_hz));
    return *std::ranges::lower_bound(stage_rates_hz, rate_hz);
}

RateBridge::RateBridge(int rate_hz, std::size_t streams, std::size_t far_channels)
    : rate_hz_(static_cast<std::uint64_t>(rate_hz)),
      stage_hz_(static_cast<std::uint64_t>(stage_rate_hz(rate_hz))),
      far_channels_(far_channels) {
    const int stage_hz = stage_rate_hz(rate_hz);
    in_.reserve(streams);
    out_.reserve(streams);
    for (std::size_t stream = 0; stream < streams; ++stream) {
        in_.emplace_back(Resampler::Config{.from_hz = rate_hz, .to_hz = stage_hz, .quality = ResamplerQuality::fast});
        out_.emplace_back(Resampler::Config{.from_hz = stage_hz, .to_hz = rate_hz, .quality = ResamplerQuality::fast});
    }
    if (far_channels > 0)
        far_.emplace_back(Resampler::Config{
            .from_hz = rate_hz, .to_hz = stage_hz, .channels = far_channels, .quality = ResamplerQuality::fast});
}

std::size_t RateBridge::enter(std::size_t stream, std::span<const float> samples, std::span<float> out) noexcept {
    return in_[stream].process(Strided<const float>{samples.data()}, samples.size(), Strided<float>{out.data()});
}

std::size_t RateBridge::enter_far(std::span<const float> samples, float* out, std::size_t channel_distance) noexcept {
    const auto channels = static_cast<std::ptrdiff_t>(far_channels_);
    return far_[0].process(Strided<const float>{samples.data(), channels, 1}, samples.size() / far_channels_,
                           Strided<float>{out, 1, static_cast<std::ptrdiff_t>(channel_distance)});
}

std::size_t RateBridge::leave(std::size_t stream, std::span<const float> samples, std::span<float> out) noexcept {
    return out_[stream].process(Strided<const float>{samples.data()}, samples.size(), Strided<float>{out.data()});
}

std::size_t RateBridge::latency_samples(std::size_t stage_latency) const noexcept {
    const auto inside = static_cast<double>(in_[0].latency_samples() + stage_latency);
    return out_[0].latency_samples() + static_cast<std::size_t>(std::lround(inside * static_cast<double>(rate_hz_) /
                                                                            static_cast<double>(stage_hz_)));
}

void RateBridge::reset() noexcept {
    for (auto* resamplers : {&in_, &out_, &far_})
        for (Resampler& resampler : *resamplers) resampler.reset();
}

}  // namespace spike
