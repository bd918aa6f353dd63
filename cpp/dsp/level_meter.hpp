// How loud a signal is, for meters and for gains.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

namespace spike {

class LevelMeter {
  public:
    static constexpr float floor_dbfs = -100.0f;

    void process(std::span<const float> frame) noexcept {
        float sum = 0.0f, peak = 0.0f;
        for (const float sample : frame) {
            sum += sample * sample;
            peak = std::max(peak, std::abs(sample));
        }
        const float power = frame.empty() ? 0.0f : sum / static_cast<float>(frame.size());
        // Up at once, down slowly: what a meter shows stays readable.
        power_ = std::max(power, release * power_ + (1.0f - release) * power);
        peak_ = std::max(peak, release * peak_);
    }

    // Root mean square against a full-scale square wave, in dB; floor_dbfs for silence.
    float rms_dbfs() const noexcept { return std::max(floor_dbfs, 10.0f * std::log10(power_ + 1e-12f)); }

    float peak_dbfs() const noexcept { return std::max(floor_dbfs, 20.0f * std::log10(peak_ + 1e-9f)); }

    // 0 for silence to 1 for full scale, for user interfaces.
    float level() const noexcept { return std::min(1.0f, std::sqrt(power_)); }

    void reset() noexcept { power_ = peak_ = 0.0f; }

  private:
    static constexpr float release = 0.8f;  // a frame
    float power_ = 0.0f, peak_ = 0.0f;
};

}  // namespace spike
