#include "media/time_stretch.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/power.hpp"

namespace spike {
namespace {

constexpr float never = 2.0f;  // a likeness that there is not

}  // namespace

TimeStretch::TimeStretch(int sample_rate_hz)
    : step_(static_cast<std::size_t>(sample_rate_hz) / 100),
      shortest_(step_ / 4),
      longest_(step_ * 5 / 4),
      pattern_(step_ * 3 / 4),
      seam_(step_ / 2) {}

bool TimeStretch::is_pause(float power, float background_power) noexcept {
    constexpr float inaudible = 1e-6f, below_voice = 0.01f, release = 0.995f;
    voice_power_ = std::max(power, release * voice_power_);
    return power < std::max({inaudible, 4.0f * background_power, below_voice * voice_power_});
}

// Of two periods, for the one to go over into the other.
float TimeStretch::least_likeness(std::size_t wanted, bool pause) const noexcept {
    if (pause) return -1.0f;
    if (wanted > 6 * step_) return since_ < 3 * step_ ? never : 0.5f;
    return since_ < 6 * step_ || wanted_for_ < 100 * step_ ? never : 0.85f;
}

std::ptrdiff_t TimeStretch::process(SampleLine& line, std::size_t count, std::int64_t excess, Splice& splice,
                                    float background_power) noexcept {
    const auto kept = line.kept();
    const std::size_t at = kept.size() - count;
    const bool pause = is_pause(mean_power(kept.subspan(at)), background_power);
    const auto wanted = static_cast<std::size_t>(std::abs(excess));
    since_ += count;
    wanted_for_ = wanted < shortest_ ? 0 : wanted_for_ + count;
    if (wanted < shortest_ || count < pattern_ + shortest_) return 0;
    const float least = least_likeness(wanted, pause);
    if (least == never) return 0;
    const std::size_t most = std::min({longest_, wanted, excess > 0 ? count - pattern_ : longest_});
    const std::size_t from = excess > 0 ? at + shortest_ : at - most;
    const auto match = splice.find(kept.subspan(at, pattern_), kept.subspan(from, most - shortest_ + pattern_));
    if (match.likeness < least) return 0;
    const auto by = static_cast<std::ptrdiff_t>(from + match.offset) - static_cast<std::ptrdiff_t>(at);
    jump(line, at, by);
    since_ = 0;
    return by;
}

// From `at` on, go over to what lies `by` samples later, or earlier.
void TimeStretch::jump(SampleLine& line, std::size_t at, std::ptrdiff_t by) noexcept {
    const auto kept = line.kept();
    const auto to = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(at) + by);
    std::copy_n(kept.begin() + to, seam_.size(), seam_.begin());
    Splice::crossfade(kept.subspan(at, seam_.size()), seam_);
    const auto rest = kept.subspan(to + seam_.size());
    if (by > 0) {
        std::copy(rest.begin(), rest.end(), kept.begin() + at + seam_.size());
        line.shrink(static_cast<std::size_t>(by));
    } else {
        line.grow(static_cast<std::size_t>(-by));
        std::copy_backward(rest.begin(), rest.end(), line.kept().end());
    }
    std::ranges::copy(seam_, line.kept().begin() + at);
}

void TimeStretch::reset() noexcept {
    since_ = wanted_for_ = 0;
    voice_power_ = 0.0f;
}

}  // namespace spike
