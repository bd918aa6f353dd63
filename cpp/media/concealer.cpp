#include "media/concealer.hpp"

#include <algorithm>
#include <cmath>

namespace spike {

Concealer::Concealer(int sample_rate_hz)
    : step_(static_cast<std::size_t>(sample_rate_hz) / 100),
      faded_(16 * step_),
      noise_(sample_rate_hz),
      extrapolator_(sample_rate_hz),
      scratch_(step_) {}

float Concealer::gain() const noexcept {
    const std::size_t hold = extrapolates_ ? step_ : 3 * step_, end = extrapolates_ ? 8 * step_ : faded_;
    if (run_ <= hold) return 1.0f;
    return run_ >= end ? 0.0f : static_cast<float>(end - run_) / static_cast<float>(end - hold);
}

void Concealer::next(std::span<const float> history, VoiceDecoder* decoder, Splice& splice,
                     std::span<float> out) noexcept {
    if (!running()) {
        extrapolates_ = decoder == nullptr || !decoder->conceals();
        if (extrapolates_) extrapolator_.begin(history, splice);
    }
    const float from = gain();
    if (faded()) {
        noise_.fill(out);
    } else if (extrapolates_) {
        extrapolator_.next(out);
    } else {
        const std::size_t count = decoder ? decoder->conceal(out) : 0;  // it may have gone with its codec
        std::ranges::fill(out.subspan(count), 0.0f);
    }
    const bool was_voice = !faded();
    run_ = std::min(run_ + out.size(), faded_);
    const float to = gain();
    if (!was_voice || to >= 1.0f) return;
    noise_.fill(std::span(scratch_).first(out.size()));
    for (std::size_t n = 0; n < out.size(); ++n) {
        const float share = from + (to - from) * static_cast<float>(n) / static_cast<float>(out.size());
        out[n] = share * out[n] + std::sqrt(1.0f - share * share) * scratch_[n];
    }
}

void Concealer::end(std::span<float> voice) noexcept {
    const float from = gain();
    run_ = 0;
    if (from >= 1.0f) return;
    const std::size_t count = std::min(voice.size(), scratch_.size());
    noise_.fill(std::span(scratch_).first(count));
    for (std::size_t n = 0; n < count; ++n) {
        const float share = from + (1.0f - from) * static_cast<float>(n) / static_cast<float>(count);
        voice[n] = share * voice[n] + std::sqrt(1.0f - share * share) * scratch_[n];
    }
}

void Concealer::reset() noexcept {
    run_ = 0;
    noise_.reset();
}

}  // namespace spike
