// Plays a voice a little faster or slower, so that nobody hears it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "media/sample_line.hpp"
#include "media/splice.hpp"

namespace spike {

// Leaves out or repeats one period of the pitch at a time. Small changes wait for a pause, and for a voice that is
// regular where none comes; large ones do not.
class TimeStretch {
  public:
    explicit TimeStretch(int sample_rate_hz);

    // `excess`: samples that the `count` newest ones of the line should become fewer; below 0, more. Returns by how
    // many they have.
    std::ptrdiff_t process(SampleLine& line, std::size_t count, std::int64_t excess, Splice& splice,
                           float background_power) noexcept;

    void reset() noexcept;

  private:
    bool is_pause(float power, float background_power) noexcept;
    float least_likeness(std::size_t wanted, bool pause) const noexcept;
    void jump(SampleLine& line, std::size_t at, std::ptrdiff_t by) noexcept;

    std::size_t step_, shortest_, longest_, pattern_;  // 10 ms; periods, and what they are looked for by
    std::size_t since_ = 0;                            // the last change, samples
    std::size_t wanted_for_ = 0;                       // samples
    float voice_power_ = 0.0f;
    std::vector<float> seam_;
};

}  // namespace spike
