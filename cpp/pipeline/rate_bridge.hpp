// Lets a stage work at a rate of its own, between two resamplers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dsp/resampler.hpp"

namespace spike {

// The rate at which stages work for a stream of `rate_hz`: that rate, where 10 ms are a whole number of samples that is
// quick to transform, else the next higher one of which that is true. Throws std::invalid_argument outside 8000 to
// 48000.
int stage_rate_hz(int rate_hz);

// From a stream's rate to a stage's and back, for several streams in step and the channels of a far end.
class RateBridge {
  public:
    RateBridge(int rate_hz, std::size_t streams, std::size_t far_channels);

    // What comes in of `stream`; returns how many samples of the stage's rate go on.
    std::size_t enter(std::size_t stream, std::span<const float> samples, std::span<float> out) noexcept;
    // The same for the far end: interleaved to planar, `channel_distance` apart.
    std::size_t enter_far(std::span<const float> samples, float* out, std::size_t channel_distance) noexcept;
    // What the stage made; returns how many samples of the stream's rate come out.
    std::size_t leave(std::size_t stream, std::span<const float> samples, std::span<float> out) noexcept;

    // After so many samples of the stream: how many have entered the stage, and after so many of the stage: how many
    // have left.
    std::uint64_t entered(std::uint64_t samples) const noexcept { return samples * stage_hz_ / rate_hz_; }
    std::uint64_t left(std::uint64_t samples) const noexcept { return samples * rate_hz_ / stage_hz_; }

    // The stream's delay in samples where the stage's is `stage_latency`.
    std::size_t latency_samples(std::size_t stage_latency) const noexcept;

    void reset() noexcept;

  private:
    std::uint64_t rate_hz_, stage_hz_;
    std::size_t far_channels_;
    std::vector<Resampler> in_, out_, far_;  // of each stream; of the far end, if there is one
};

}  // namespace spike
