// What happens to the AI's voice on its way to the loudspeaker.
#pragma once

#include <span>

#include "dsp/level_meter.hpp"

namespace spike {

// A gain that changes without a click, a limit at full scale, and a meter. Works in place on any number of samples.
class RenderPipeline {
  public:
    // Throws std::invalid_argument for a rate below 8000 or above 192000.
    explicit RenderPipeline(int sample_rate_hz);

    void process(std::span<float> samples) noexcept;

    // 1 plays as it came, 0 is silence; reached within 10 ms. Throws std::invalid_argument outside 0 to 4.
    void set_gain(float gain);
    float gain() const noexcept { return target_; }

    const LevelMeter& meter() const noexcept { return meter_; }
    void reset() noexcept;

  private:
    float step_;  // the most that the gain changes in a sample
    float target_ = 1.0f, gain_ = 1.0f;
    LevelMeter meter_;
};

}  // namespace spike
