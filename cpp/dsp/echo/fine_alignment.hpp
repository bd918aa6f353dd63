// Finds to the sample where the far end is, once it is known to within some.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/fft.hpp"
#include "base/spectrum.hpp"
#include "dsp/echo/far_line.hpp"

namespace spike {

// The echo of the last 80 ms, as a known response predicts it, beside the microphone: the shift at which they are most
// alike. Both are differentiated first, so that the low frequencies, which all shifts have in common, count less.
class FineAlignment {
  public:
    struct Config {
        std::size_t block_samples, channels, response_samples;
        std::size_t reach_samples;  // of the search, to each side
    };

    // `line` must outlive this.
    FineAlignment(const FarLine& line, const Config& config);

    // One block of the microphone, as late as the line's newest.
    void push(std::span<const float> microphone) noexcept;

    // By how many samples later than `begin` the far end is best read.
    double best_shift(std::span<const float> response, double begin) noexcept;

    void reset() noexcept;

  private:
    void predict(std::span<const float> response, double begin) noexcept;
    float likeness(std::size_t shift) const noexcept;

    const FarLine* line_;
    Config config_;
    RealFft fft_;
    std::vector<float> microphone_, echo_, time_;
    Spectrum far_, response_;
};

}  // namespace spike
