#include "media/speed_up.hpp"

#include <algorithm>
#include <stdexcept>

namespace spike {
namespace {

std::size_t hop_at(int sample_rate_hz) {
    if (sample_rate_hz < 8000 || sample_rate_hz > 192000)
        throw std::invalid_argument("sample_rate_hz must be between 8000 and 192000");
    return static_cast<std::size_t>(sample_rate_hz / 100);
}

}  // namespace

SpeedUp::SpeedUp(int sample_rate_hz, double speed)
    : hop_(hop_at(sample_rate_hz)),
      advance_(speed * static_cast<double>(hop_)),
      reach_(hop_ * 4 / 5),  // two of them are the period of a deep voice, 62 Hz
      splice_(sample_rate_hz),
      line_(8 * hop_) {
    if (!(speed >= 1.0 && speed <= 2.0)) throw std::invalid_argument("speed must be between 1 and 2");
    begin();
}

// With silence, so that a voice fades in.
void SpeedUp::begin() noexcept {
    filled_ = hop_ + reach_;
    std::fill_n(line_.begin(), filled_, 0.0f);
    follows_ = 0;
    next_ = static_cast<double>(hop_ + reach_);
}

std::size_t SpeedUp::most_output(std::size_t samples) const noexcept { return samples + 6 * hop_; }

std::size_t SpeedUp::process(std::span<const float> in, std::span<float> out) noexcept {
    std::size_t made = 0;
    while (!in.empty()) {
        const std::size_t count = std::min(in.size(), hop_);
        std::copy_n(in.begin(), count, line_.begin() + static_cast<std::ptrdiff_t>(filled_));
        filled_ += count;
        in = in.subspan(count);
        while (static_cast<std::size_t>(next_) + reach_ + 2 * hop_ <= filled_) made += step(out.subspan(made));
    }
    return made;
}

std::size_t SpeedUp::drain(std::span<float> out) noexcept {
    const auto rest = std::span(line_).subspan(follows_, filled_ - follows_);
    std::ranges::copy(rest, out.begin());
    const std::size_t made = rest.size();
    begin();
    return made;
}

// Plays 10 ms: from what would follow over into the next segment.
std::size_t SpeedUp::step(std::span<float> out) noexcept {
    const auto line = std::span(line_);
    const std::size_t from = static_cast<std::size_t>(next_) - reach_;
    const auto match = splice_.find(line.subspan(follows_, hop_), line.subspan(from, 2 * reach_ + hop_));
    const std::size_t at = from + match.offset;
    const auto played = out.first(hop_);
    std::ranges::copy(line.subspan(at, hop_), played.begin());
    Splice::crossfade(line.subspan(follows_, hop_), played);
    follows_ = at + hop_;
    next_ += advance_;
    const std::size_t gone = std::min(follows_, static_cast<std::size_t>(next_) - reach_);
    std::copy(line_.begin() + static_cast<std::ptrdiff_t>(gone), line_.begin() + static_cast<std::ptrdiff_t>(filled_),
              line_.begin());
    filled_ -= gone;
    follows_ -= gone;
    next_ -= static_cast<double>(gone);
    return hop_;
}

}  // namespace spike
