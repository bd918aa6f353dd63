// Between the samples of devices and codecs and those of the engine.
#pragma once

#include <cmath>
#include <cstdint>

namespace spike {

// A sample that is no number is silence: one of them would stay in a recursive filter for ever.
inline float to_float(float sample) noexcept { return std::isfinite(sample) ? sample : 0.0f; }

inline float to_float(std::int16_t sample) noexcept { return static_cast<float>(sample) / 32768.0f; }

template <typename Sample>
Sample from_float(float sample) noexcept;

template <>
inline float from_float<float>(float sample) noexcept {
    return sample;
}

// Rounds to nearest; what is out of range saturates.
template <>
inline std::int16_t from_float<std::int16_t>(float sample) noexcept {
    const float scaled = sample * 32768.0f;
    if (scaled >= 32767.0f) return 32767;
    if (scaled <= -32768.0f) return -32768;
    return static_cast<std::int16_t>(std::lrint(scaled));
}

}  // namespace spike
