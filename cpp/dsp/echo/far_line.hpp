// Remembers the far end and reads it back at any delay, also between two samples.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dsp/echo/partition_kernels.hpp"

namespace spike {

// The far end's last second or so. A delay that drifts is a position that moves by less than a sample a block: what is
// read is then interpolated by a windowed sinc (base/interpolation_filter.hpp), so that the clocks of a loudspeaker
// and a microphone need not agree.
class FarLine {
  public:
    struct Config {
        std::size_t block_samples = 480;
        std::size_t history_samples = 0;  // how far back the oldest sample that is read may lie
        std::size_t channels = 1;
    };

    explicit FarLine(const Config& config);

    // One block of `channels` planar blocks.
    void push(std::span<const float> far) noexcept;

    // The `out.size()` samples that end `back` samples and `delay` before the newest one; the delay has grown by `step`
    // with each of them. A delay below `least_fractional_delay()`, where the interpolation would need samples to come,
    // is read at whole samples.
    void read(std::size_t channel, std::size_t back, double delay, double step, std::span<float> out) const noexcept;

    double least_fractional_delay() const noexcept { return static_cast<double>(half_taps_); }
    void reset() noexcept;

  private:
    // The value `moment`, 0 to 1, after the sample in the middle of `samples`.
    float between(const float* samples, double moment) const noexcept;

    Config config_;
    std::size_t half_taps_;
    std::size_t taps_;  // of a row, filled up with zeros
    const PartitionKernels* kernels_;
    std::size_t length_;           // of a channel's ring, a power of two
    std::vector<float> rings_;     // channels x length_
    std::vector<float> fraction_;  // rows of taps_ coefficients for moments of 0 to 1
    std::size_t newest_ = 0;       // samples pushed so far
};

}  // namespace spike
