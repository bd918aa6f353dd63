// Goes on with a voice for codecs that have no concealment of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "media/splice.hpp"

namespace spike {

// Repeats the last period of the pitch, its end blended into its beginning; what has none repeats a longer piece. After
// ITU-T G.711 Appendix I (1999).
class PitchExtrapolator {
  public:
    explicit PitchExtrapolator(int sample_rate_hz);

    // How much of the past begin() looks at.
    std::size_t history_samples() const noexcept { return longest_ + pattern_; }

    // `history`: at least history_samples(), the newest last.
    void begin(std::span<const float> history, Splice& splice) noexcept;
    void next(std::span<float> out) noexcept;

  private:
    std::size_t shortest_, longest_, pattern_;  // periods, and what they are looked for by
    std::vector<float> period_;
    std::size_t length_ = 1, at_ = 0;
};

}  // namespace spike
