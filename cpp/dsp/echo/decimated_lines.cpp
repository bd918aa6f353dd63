#include "dsp/echo/decimated_lines.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace spike {
namespace {

constexpr std::size_t microphone_ms = 80;

std::size_t decimated(std::size_t ms, std::size_t factor, int rate_hz) {
    return ms * static_cast<std::size_t>(rate_hz) / factor / 1000;
}

std::size_t block_of(const DecimatedLines::Config& config) {
    return static_cast<std::size_t>(config.sample_rate_hz) / 100;
}

}  // namespace

std::size_t decimation_factor(int sample_rate_hz, int decimated_hz) noexcept {
    return static_cast<std::size_t>(std::max(1, sample_rate_hz / decimated_hz));
}

double parabola_top(float before, float here, float after) noexcept {
    const float curvature = before - 2.0f * here + after;
    return curvature < 0.0f ? std::clamp(0.5 * (before - after) / curvature, -0.5, 0.5) : 0.0;
}

Decimator::Decimator(std::size_t factor) : factor_(factor), taps_(8 * factor), history_(8 * factor) {
    const auto length = static_cast<double>(taps_.size());
    const double cutoff = 0.4 / static_cast<double>(factor);  // of the sampling rate: leaves room for the short filter
    double sum = 0.0;
    for (std::size_t n = 0; n < taps_.size(); ++n) {
        const double t = static_cast<double>(n) - (length - 1.0) / 2.0;
        const double x = 2.0 * std::numbers::pi * cutoff * t;
        const double sinc = std::abs(x) < 1e-9 ? 1.0 : std::sin(x) / x;
        const double hann = 0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * (static_cast<double>(n) + 0.5) / length);
        taps_[n] = static_cast<float>(sinc * hann);
        sum += sinc * hann;
    }
    for (float& tap : taps_) tap /= static_cast<float>(sum);
}

std::size_t Decimator::process(std::span<const float> samples, std::span<float> kept) noexcept {
    std::size_t count = 0;
    for (const float sample : samples) {
        history_[at_] = sample;
        at_ = (at_ + 1) % history_.size();
        if (++phase_ < factor_) continue;
        phase_ = 0;
        float sum = 0.0f;
        const std::size_t tail = history_.size() - at_;
        for (std::size_t n = 0; n < tail; ++n) sum += taps_[n] * history_[at_ + n];
        for (std::size_t n = 0; n < at_; ++n) sum += taps_[tail + n] * history_[n];
        kept[count++] = sum;
    }
    return count;
}

void Decimator::reset() noexcept {
    std::fill(history_.begin(), history_.end(), 0.0f);
    phase_ = at_ = 0;
}

DecimatedLine::DecimatedLine(std::size_t factor, std::size_t samples, std::size_t most_pushed)
    : decimator_(factor), line_(samples), kept_(most_pushed / factor + 2) {}

std::size_t DecimatedLine::push(std::span<const float> samples) noexcept {
    const auto count = static_cast<std::ptrdiff_t>(decimator_.process(samples, kept_));
    std::move(line_.begin() + count, line_.end(), line_.begin());
    std::copy_n(kept_.begin(), count, line_.end() - count);
    return static_cast<std::size_t>(count);
}

void DecimatedLine::reset() noexcept {
    decimator_.reset();
    std::ranges::fill(line_, 0.0f);
}

DecimatedLines::DecimatedLines(const Config& config)
    : factor_(decimation_factor(config.sample_rate_hz, decimated_rate_hz)),
      max_lag_(decimated(config.max_delay_ms, factor_, config.sample_rate_hz)),
      microphone_(factor_, decimated(microphone_ms, 1, decimated_rate_hz), block_of(config)),
      far_(factor_, microphone().size() + max_lag_ + decimated(config.tail_ms, factor_, config.sample_rate_hz),
           block_of(config)) {}

void DecimatedLines::reset() noexcept {
    microphone_.reset();
    far_.reset();
}

void DecimatedLines::push(std::span<const float> microphone, std::span<const float> far) noexcept {
    far_.push(far);
    new_samples_ = microphone_.push(microphone);
}

}  // namespace spike
