// The low-pass filter that a resampler interpolates with, sampled at as many phases as it is asked at.
#pragma once

#include <cstddef>
#include <vector>

namespace spike {

enum class ResamplerQuality { voice, mastering, fast };

// A Kaiser-windowed sinc (J. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", 1974).
class InterpolationFilter {
  public:
    InterpolationFilter(int from_hz, int to_hz, ResamplerQuality quality);

    // Input samples on each side of the moment that is interpolated.
    std::size_t half_taps() const noexcept { return half_taps_; }

    // Coefficients for a moment, 0 to 1, after an input sample: 2 * half_taps() of them, for the inputs in order of
    // time, scaled to unity gain at direct current.
    std::vector<double> row(double moment) const;

  private:
    double response(double time) const;  // at `time` input samples from the centre

    double cutoff_;  // in cycles per input sample
    double beta_;
    double half_width_;
    std::size_t half_taps_;
};

}  // namespace spike
