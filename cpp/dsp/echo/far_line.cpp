#include "dsp/echo/far_line.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/interpolation_filter.hpp"

namespace spike {
namespace {

constexpr std::size_t moments = 256;
constexpr std::size_t most_taps = 128;

InterpolationFilter interpolation() { return {48000, 48000, ResamplerQuality::fast}; }  // the same at every rate

}  // namespace

FarLine::FarLine(const Config& config)
    : config_(config),
      half_taps_(interpolation().half_taps()),
      taps_((2 * half_taps_ + side_by_side - 1) / side_by_side * side_by_side),
      kernels_(&partition_kernels(active_isa())),
      length_(std::bit_ceil(config.history_samples + config.block_samples + 4 * half_taps_)),
      rings_(config.channels * length_) {
    const InterpolationFilter filter = interpolation();
    for (std::size_t moment = 0; moment <= moments; ++moment) {
        const auto row = filter.row(static_cast<double>(moment) / moments);
        for (std::size_t tap = 0; tap < taps_; ++tap)
            fraction_.push_back(tap < row.size() ? static_cast<float>(row[tap]) : 0.0f);
    }
}

void FarLine::reset() noexcept {
    std::fill(rings_.begin(), rings_.end(), 0.0f);
    newest_ = 0;
}

void FarLine::push(std::span<const float> far) noexcept {
    const std::size_t block = config_.block_samples;
    for (std::size_t channel = 0; channel < config_.channels; ++channel)
        for (std::size_t n = 0; n < block; ++n)
            rings_[channel * length_ + ((newest_ + n) & (length_ - 1))] = far[channel * block + n];
    newest_ += block;
}

void FarLine::read(std::size_t channel, std::size_t back, double delay, double step,
                   std::span<float> out) const noexcept {
    const float* ring = rings_.data() + channel * length_;
    const std::size_t mask = length_ - 1;
    const std::size_t first = newest_ + 2 * length_ - back - out.size();  // out[0] without a delay
    if (delay < least_fractional_delay() || (step == 0.0 && delay == std::floor(delay))) {
        const auto whole = static_cast<std::size_t>(std::max(0.0, std::round(delay)));
        for (std::size_t n = 0; n < out.size(); ++n) out[n] = ring[(first + n - whole) & mask];
        return;
    }
    double here = delay - step * static_cast<double>(out.size() - 1);
    for (std::size_t n = 0; n < out.size(); ++n, here += step) {
        const double whole = std::ceil(here);
        const std::size_t at = (first + n - static_cast<std::size_t>(whole) + 1 - half_taps_) & mask;
        float wrapped[most_taps];
        const float* samples = ring + at;
        if (at + taps_ > length_) {
            for (std::size_t tap = 0; tap < taps_; ++tap) wrapped[tap] = ring[(at + tap) & mask];
            samples = wrapped;
        }
        out[n] = between(samples, whole - here);
    }
}

float FarLine::between(const float* samples, double moment) const noexcept {
    const auto scaled = static_cast<float>(moment * moments);
    const auto row = std::min(static_cast<std::size_t>(scaled), moments - 1);
    const float share = scaled - static_cast<float>(row);
    const float* below = fraction_.data() + row * taps_;
    return kernels_->between(below, below + taps_, share, samples, taps_);
}

}  // namespace spike
