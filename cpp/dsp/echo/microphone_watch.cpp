#include "dsp/echo/microphone_watch.hpp"

#include <algorithm>
#include <cmath>

#include "base/power.hpp"

namespace spike {
namespace {

constexpr float silence_power = 1e-10f;  // -100 dBFS: less than any microphone's own noise
constexpr std::size_t longest_repeated_ms = 45;
constexpr float same = 1e-3f;  // of the loudest sample: a high-pass filter may lie between

}  // namespace

MicrophoneWatch::MicrophoneWatch(int sample_rate_hz)
    : past_(longest_repeated_ms * static_cast<std::size_t>(sample_rate_hz) / 1000) {}

void MicrophoneWatch::reset() noexcept { std::ranges::fill(past_, 0.0f); }

bool MicrophoneWatch::repeats(std::span<const float> block) const noexcept {
    float loudest = 0.0f;
    for (const float sample : block) loudest = std::max(loudest, std::abs(sample));
    const float close = same * loudest;
    // At a period of less than a block, the block is like what began one period earlier, too.
    for (std::size_t at = 0; at + block.size() <= past_.size(); ++at) {
        std::size_t n = 0;
        while (n < block.size() && std::abs(block[n] - past_[at + n]) <= close) ++n;
        if (n == block.size()) return true;
    }
    return false;
}

bool MicrophoneWatch::is_deaf(std::span<const float> block, bool suspicious) noexcept {
    const bool deaf = mean_power(block) < silence_power || (suspicious && repeats(block));
    std::shift_left(past_.begin(), past_.end(), static_cast<std::ptrdiff_t>(block.size()));
    std::ranges::copy(block, past_.end() - static_cast<std::ptrdiff_t>(block.size()));
    return deaf;
}

}  // namespace spike
