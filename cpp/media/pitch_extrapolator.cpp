#include "media/pitch_extrapolator.hpp"

#include <algorithm>

namespace spike {
namespace {

constexpr float voiced = 0.5f;  // likeness of two periods

std::size_t samples_of(float milliseconds, int rate_hz) {
    return static_cast<std::size_t>(milliseconds * static_cast<float>(rate_hz) / 1000.0f);
}

}  // namespace

PitchExtrapolator::PitchExtrapolator(int sample_rate_hz)
    : shortest_(samples_of(2.5f, sample_rate_hz)),
      longest_(samples_of(15.0f, sample_rate_hz)),
      pattern_(samples_of(7.5f, sample_rate_hz)),
      period_(longest_) {}

void PitchExtrapolator::begin(std::span<const float> history, Splice& splice) noexcept {
    const auto recent = history.last(history_samples());
    const auto match = splice.find(recent.last(pattern_), recent.first(recent.size() - shortest_));
    length_ = match.likeness > voiced ? recent.size() - pattern_ - match.offset : longest_;
    const auto newest = recent.last(length_);
    std::ranges::copy(newest, period_.begin());
    // The end of a repetition goes over into what came before the period that is repeated.
    const std::size_t seam = std::min(length_, pattern_) / 2;
    const auto before = recent.subspan(recent.size() - length_ - seam, seam);
    for (std::size_t n = 0; n < seam; ++n) {
        const float share = static_cast<float>(n + 1) / static_cast<float>(seam + 1);
        float& sample = period_[length_ - seam + n];
        sample += share * (before[n] - sample);
    }
    at_ = 0;
}

void PitchExtrapolator::next(std::span<float> out) noexcept {
    for (float& sample : out) {
        sample = period_[at_];
        at_ = at_ + 1 == length_ ? 0 : at_ + 1;
    }
}

}  // namespace spike
