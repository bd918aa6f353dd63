// RFC 3389: what a sender tells of its background while it is silent.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace spike {

// Noise of the level and the spectrum that a payload describes, at the rate of its clock.
class NoiseDecoder {
  public:
    // A payload: the level in -dBov, then the reflection coefficients of an all-pole filter (section 3). What comes
    // after the twelfth of them is left out.
    void describe(std::span<const std::uint8_t> payload) noexcept;

    // As it was described last; silence before that.
    void fill(std::span<float> out) noexcept;

    void reset() noexcept;

  private:
    std::array<float, 12> reflections_{}, state_{};
    float gain_ = 0.0f;  // of white noise that is even in [-1, 1)
    std::uint32_t seed_ = 1;
};

}  // namespace spike
