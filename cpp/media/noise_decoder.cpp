#include "media/noise_decoder.hpp"

#include <algorithm>
#include <cmath>

namespace spike {

void NoiseDecoder::describe(std::span<const std::uint8_t> payload) noexcept {
    if (payload.empty()) return;
    constexpr float most = 0.99f;        // a filter that still fades
    constexpr float white_power = 3.0f;  // of one over that of numbers that are even in [-1, 1)
    const auto level = static_cast<float>(payload[0] & 0x7f);
    float left = 1.0f;  // of the power, in front of the filter
    for (std::size_t n = 0; n < reflections_.size(); ++n) {
        const float told = n + 1 < payload.size() ? (static_cast<float>(payload[n + 1]) - 127.0f) / 128.0f : 0.0f;
        reflections_[n] = std::clamp(told, -most, most);
        left *= 1.0f - reflections_[n] * reflections_[n];
    }
    gain_ = std::pow(10.0f, -level / 20.0f) * std::sqrt(white_power * left);
}

void NoiseDecoder::fill(std::span<float> out) noexcept {
    // More than samples up to full scale leave in a lattice. What one filter has gathered another may blow up, and so
    // on without end where descriptions follow each other fast.
    constexpr float loudest = 8.0f;
    for (float& sample : out) {
        seed_ = seed_ * 1664525u + 1013904223u;
        float forward = gain_ * (static_cast<float>(seed_ >> 8) / 8388608.0f - 1.0f);
        // A lattice, from its last stage to its first.
        for (std::size_t n = reflections_.size(); n-- > 0;) {
            forward -= reflections_[n] * state_[n];
            if (n + 1 < state_.size())
                state_[n + 1] = std::clamp(state_[n] + reflections_[n] * forward, -loudest, loudest);
        }
        sample = state_[0] = std::clamp(forward, -1.0f, 1.0f);
    }
}

void NoiseDecoder::reset() noexcept { *this = {}; }

}  // namespace spike
