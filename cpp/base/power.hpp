// What stages compare to tell sound from silence and echo from voice.
#pragma once

#include <cstddef>
#include <span>

namespace spike {

inline float energy(std::span<const float> samples) noexcept {
    float sum = 0.0f;
    for (const float sample : samples) sum += sample * sample;
    return sum;
}

inline float mean_power(std::span<const float> samples) noexcept {
    return energy(samples) / static_cast<float>(samples.size());
}

inline float mean_product(std::span<const float> one, std::span<const float> other) noexcept {
    float sum = 0.0f;
    for (std::size_t n = 0; n < one.size(); ++n) sum += one[n] * other[n];
    return sum / static_cast<float>(one.size());
}

}  // namespace spike
