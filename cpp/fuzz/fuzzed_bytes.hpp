// Bytes of chance, read as whatever a target wants of them. What is not there any more is zero.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace spike::fuzz {

// What must hold whatever comes in; libFuzzer keeps the input where it does not.
inline void require(bool condition) {
    if (!condition) __builtin_trap();
}

inline void require_finite(std::span<const float> samples) {
    require(std::ranges::all_of(samples, [](float sample) { return std::isfinite(sample); }));
}

class FuzzedBytes {
  public:
    FuzzedBytes(const std::uint8_t* data, std::size_t size) : left_(data, size) {}

    bool empty() const { return left_.empty(); }

    template <typename Number>
    Number number() {
        Number made{};
        const auto bytes = take(sizeof made);
        std::memcpy(&made, bytes.data(), bytes.size());
        return made;
    }

    // Both ends included.
    std::size_t between(std::size_t least, std::size_t most) {
        return least + number<std::uint16_t>() % (most - least + 1);
    }

    template <typename Choice, std::size_t n>
    const Choice& one_of(const Choice (&choices)[n]) {
        return choices[number<std::uint8_t>() % n];
    }

    std::span<const std::uint8_t> take(std::size_t most) {
        const auto taken = left_.first(std::min(most, left_.size()));
        left_ = left_.subspan(taken.size());
        return taken;
    }

    std::span<const std::uint8_t> rest() { return take(left_.size()); }

    // Any floats, infinities and what is no number included.
    void fill(std::span<float> samples) {
        std::ranges::fill(samples, 0.0f);
        const auto bytes = take(samples.size_bytes());
        if (!bytes.empty()) std::memcpy(samples.data(), bytes.data(), bytes.size());
    }

  private:
    std::span<const std::uint8_t> left_;
};

}  // namespace spike::fuzz
