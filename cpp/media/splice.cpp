#include "media/splice.hpp"

#include <algorithm>
#include <cmath>

namespace spike {
namespace {

constexpr int search_rate_hz = 8000;
constexpr std::size_t longest_ms = 60;

float product(const float* a, const float* b, std::size_t count) noexcept {
    float sum = 0.0f;
    for (std::size_t n = 0; n < count; ++n) sum += a[n] * b[n];
    return sum;
}

// Of the offsets `from` to `to`, both included.
Splice::Match best_of(std::span<const float> pattern, std::span<const float> area, std::size_t from,
                      std::size_t to) noexcept {
    constexpr float nothing = 1e-9f;
    const float own = product(pattern.data(), pattern.data(), pattern.size());
    float other = product(area.data() + from, area.data() + from, pattern.size());
    Splice::Match best{from, -1.0f};
    for (std::size_t offset = from;; ++offset) {
        const float likeness = product(pattern.data(), area.data() + offset, pattern.size()) /
                               std::sqrt(std::max(own, nothing) * std::max(other, nothing));
        if (likeness > best.likeness) best = {offset, likeness};
        if (offset == to) return best;
        const float leaving = area[offset], coming = area[offset + pattern.size()];
        other += coming * coming - leaving * leaving;
    }
}

}  // namespace

Splice::Splice(int sample_rate_hz)
    : factor_(std::max<std::size_t>(1, static_cast<std::size_t>(sample_rate_hz / search_rate_hz))),
      pattern_(longest_ms * static_cast<std::size_t>(sample_rate_hz) / 1000 / factor_ + 1),
      area_(pattern_.size()) {}

std::size_t Splice::thin(std::span<const float> samples, std::vector<float>& thinned) const noexcept {
    const std::size_t count = std::min(samples.size() / factor_, thinned.size());
    for (std::size_t n = 0; n < count; ++n) {
        float sum = 0.0f;
        for (std::size_t k = n * factor_; k < (n + 1) * factor_; ++k) sum += samples[k];
        thinned[n] = sum;
    }
    return count;
}

Splice::Match Splice::find(std::span<const float> pattern, std::span<const float> area) noexcept {
    if (pattern.empty() || area.size() < pattern.size()) return {};
    const std::size_t last = area.size() - pattern.size();
    const std::size_t coarse_pattern = thin(pattern, pattern_), coarse_area = thin(area, area_);
    if (coarse_pattern == 0 || coarse_area < coarse_pattern) return best_of(pattern, area, 0, last);
    const Match coarse =
        best_of({pattern_.data(), coarse_pattern}, {area_.data(), coarse_area}, 0, coarse_area - coarse_pattern);
    const std::size_t centre = std::min(coarse.offset * factor_, last);
    return best_of(pattern, area, centre - std::min(centre, factor_), std::min(last, centre + factor_));
}

void Splice::crossfade(std::span<const float> from, std::span<float> to) noexcept {
    const float step = 1.0f / static_cast<float>(to.size() + 1);
    for (std::size_t n = 0; n < to.size(); ++n) {
        const float share = static_cast<float>(n + 1) * step;
        to[n] = share * to[n] + (1.0f - share) * from[n];
    }
}

}  // namespace spike
