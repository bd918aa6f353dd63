// Between the samples of devices and codecs and those of the engine.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace spike {

// A sample that is no number is silence: one of them would stay in a recursive filter for ever.
inline float to_float(float sample) noexcept { return std::isfinite(sample) ? sample : 0.0f; }

inline float to_float(std::int16_t sample) noexcept { return static_cast<float>(sample) / 32768.0f; }

inline float to_float(std::int32_t sample) noexcept { return static_cast<float>(sample) * 0x1p-31f; }

template <typename Sample>
Sample from_float(float sample) noexcept;

template <>
inline float from_float<float>(float sample) noexcept {
    return sample;
}

// Rounds to nearest, half to even; what is out of range saturates. Adding 1.5 * 2^23 leaves the integer in the low bits
// of the sum: unlike a call of lrint, loops of this vectorise.
template <>
inline std::int16_t from_float<std::int16_t>(float sample) noexcept {
    constexpr float magic = 12582912.0f;
    const float clamped = std::min(std::max(sample * 32768.0f, -32768.0f), 32767.0f);
    return static_cast<std::int16_t>(std::bit_cast<std::int32_t>(clamped + magic) - std::bit_cast<std::int32_t>(magic));
}

template <>
inline std::int32_t from_float<std::int32_t>(float sample) noexcept {
    const double scaled = static_cast<double>(sample) * 0x1p31;
    return static_cast<std::int32_t>(std::lrint(std::min(std::max(scaled, -0x1p31), 0x1p31 - 1.0)));
}

}  // namespace spike
