// Takes out what no voice has: direct current, hum and rumble.
#pragma once

#include <cmath>
#include <numbers>
#include <span>

namespace spike {

// A Butterworth filter of second order, as a direct form II transposed biquad designed by the bilinear transform.
class HighPass {
  public:
    HighPass(int sample_rate_hz, float cutoff_hz) noexcept {
        const double warped = std::tan(std::numbers::pi * static_cast<double>(cutoff_hz) / sample_rate_hz);
        const double norm = 1.0 / (1.0 + std::numbers::sqrt2 * warped + warped * warped);
        b0_ = static_cast<float>(norm);
        a1_ = static_cast<float>(2.0 * (warped * warped - 1.0) * norm);
        a2_ = static_cast<float>((1.0 - std::numbers::sqrt2 * warped + warped * warped) * norm);
    }

    void process(std::span<float> samples) noexcept {
        for (float& sample : samples) {
            const float in = sample;
            const float out = b0_ * in + first_;
            first_ = -2.0f * b0_ * in - a1_ * out + second_;
            second_ = b0_ * in - a2_ * out;
            sample = out;
        }
    }

    void reset() noexcept { first_ = second_ = 0.0f; }

  private:
    float b0_, a1_, a2_;
    float first_ = 0.0f, second_ = 0.0f;
};

}  // namespace spike
