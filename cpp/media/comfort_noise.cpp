#include "media/comfort_noise.hpp"

#include <algorithm>

#include "base/power.hpp"
#include "base/window.hpp"

namespace spike {
namespace {

constexpr std::size_t pieces = 8;
constexpr float rise = 1.01f;       // of the floor, a block: 4 dB a second
constexpr float background = 2.0f;  // power over the floor that still is background
constexpr float loudest = 1e-4f;    // -40 dBFS: whatever is louder is no background

}  // namespace

ComfortNoise::ComfortNoise(int sample_rate_hz)
    : block_(static_cast<std::size_t>(sample_rate_hz) / 100),
      hop_(block_ / 2),
      window_(sqrt_hann(2 * hop_)),
      pieces_(pieces * block_),
      sum_(2 * hop_) {
    reset();
}

void ComfortNoise::learn(std::span<const float> samples) noexcept {
    for (; samples.size() >= block_; samples = samples.subspan(block_)) learn_block(samples.first(block_));
}

void ComfortNoise::learn_block(std::span<const float> block) noexcept {
    const float power = mean_power(block);
    floor_ = learned_ == 0 ? std::min(power, loudest) : std::min({power, rise * floor_ + 1e-12f, loudest});
    if (power > background * floor_ + 1e-12f) {
        learned_ = std::max<std::size_t>(learned_, 1);
        return;
    }
    std::ranges::copy(block, pieces_.begin() + static_cast<std::ptrdiff_t>(next_piece_ * block_));
    next_piece_ = (next_piece_ + 1) % pieces;
    learned_ = std::min(learned_ + 1, pieces + 1);
}

std::uint32_t ComfortNoise::random() noexcept { return seed_ = seed_ * 1664525u + 1013904223u; }

void ComfortNoise::begin_window() noexcept {
    const std::size_t known = std::max<std::size_t>(learned_, 2) - 1;  // pieces; the first block only told the level
    const std::size_t at = (random() >> 8) % (known * block_ - 2 * hop_ + 1);
    const float sign = (random() & 0x80000000u) != 0 ? -1.0f : 1.0f;
    std::copy(sum_.begin() + static_cast<std::ptrdiff_t>(hop_), sum_.end(), sum_.begin());
    std::fill(sum_.end() - static_cast<std::ptrdiff_t>(hop_), sum_.end(), 0.0f);
    for (std::size_t n = 0; n < 2 * hop_; ++n) sum_[n] += sign * window_[n] * pieces_[at + n];
}

void ComfortNoise::fill(std::span<float> out) noexcept {
    for (float& sample : out) {
        if (given_ == 0) begin_window();
        sample = sum_[given_];
        given_ = (given_ + 1) % hop_;
    }
}

void ComfortNoise::reset() noexcept {
    std::ranges::fill(pieces_, 0.0f);
    std::ranges::fill(sum_, 0.0f);
    next_piece_ = learned_ = given_ = 0;
    floor_ = 0.0f;
    seed_ = 1;
}

}  // namespace spike
