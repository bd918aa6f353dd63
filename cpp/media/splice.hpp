// Joins two pieces of a voice where they are most alike, so that nobody hears the seam.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace spike {

// Method: W. Verhelst and M. Roelands, "An overlap-add technique based on waveform similarity (WSOLA) for high quality
// time-scale modification of speech", ICASSP 1993.
class Splice {
  public:
    explicit Splice(int sample_rate_hz);

    struct Match {
        std::size_t offset = 0;
        float likeness = 0.0f;  // correlation coefficient, -1 to 1
    };

    // Where in `area` a piece is most like `pattern`; both at most 40 ms. Searched at some 8 kHz, then refined.
    Match find(std::span<const float> pattern, std::span<const float> area) noexcept;

    // From `from` to `to` over their length, which is the same; `to` then holds the sum.
    static void crossfade(std::span<const float> from, std::span<float> to) noexcept;

  private:
    std::size_t thin(std::span<const float> samples, std::vector<float>& thinned) const noexcept;

    std::size_t factor_;
    std::vector<float> pattern_, area_;
};

}  // namespace spike
