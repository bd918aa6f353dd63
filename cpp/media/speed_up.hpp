// Plays a voice faster by a fixed factor, at its own pitch.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "media/splice.hpp"

namespace spike {

// Method: WSOLA, as for Splice. Segments of 20 ms overlap by half; each begins where the voice is most like what would
// have followed the one before. One thread at a time; `process` and `drain` take no memory and throw nothing.
class SpeedUp {
  public:
    // Throws std::invalid_argument unless `speed` is between 1 and 2.
    SpeedUp(int sample_rate_hz, double speed);

    // What comes out of so many samples, at most. `drain` gives at most that of none.
    std::size_t most_output(std::size_t samples) const noexcept;

    // Takes `in` and returns how many samples of `out` it has filled.
    std::size_t process(std::span<const float> in, std::span<float> out) noexcept;

    // What was taken and is not played yet, at the speed at which it came; then another voice begins.
    std::size_t drain(std::span<float> out) noexcept;

  private:
    void begin() noexcept;
    std::size_t step(std::span<float> out) noexcept;

    std::size_t hop_;
    double advance_;  // samples from one segment to the next
    std::size_t reach_;
    Splice splice_;
    std::vector<float> line_;
    std::size_t filled_ = 0, follows_ = 0;  // what comes next by itself begins there
    double next_ = 0.0;                     // where the next segment lies, but for its likeness
};

}  // namespace spike
