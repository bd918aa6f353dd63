// What stages compare to tell sound from silence and echo from voice.
#pragma once

#include <span>

namespace spike {

inline float mean_power(std::span<const float> samples) noexcept {
    float sum = 0.0f;
    for (const float sample : samples) sum += sample * sample;
    return sum / static_cast<float>(samples.size());
}

}  // namespace spike
