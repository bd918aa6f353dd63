// Learns what a loudspeaker at its limit makes of what it is given.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "base/spectrum.hpp"
#include "dsp/echo/adaptive_filter.hpp"
#include "dsp/echo/far_line.hpp"
#include "dsp/echo/far_spectra.hpp"

namespace spike {

// A Hammerstein model: the far end less a weighted sum of memoryless branches goes on to the adaptive filter. Two
// branches hold what lies above a share of the far end's peak, which bends or clips large samples; one is even, as a
// membrane that moves further one way than the other. What the adaptive filter would make of each branch is regressed
// on the error: bins count by what else they are expected to hold, so that a near end who talks pulls little.
//
// Method: the cascade of A. Stenger and W. Kellermann, "Adaptation of a memoryless preprocessor for nonlinear acoustic
// echo cancelling", Signal Processing 80 (2000), with recursive least squares and piecewise linear branches.
class Predistorter {
  public:
    static constexpr std::size_t branches = 3;

    Predistorter(std::size_t block_samples, std::size_t channels);

    // One block of planar channels, as it is aligned with the microphone: replaced by what the loudspeaker plays.
    void process(std::span<float> far) noexcept;

    // Whether the branches' last blocks are known, from which it learns. A loudspeaker that has been found to bend
    // nothing is listened to for a third of the time.
    bool can_learn() const noexcept { return state_.known_blocks >= spectra_.partitions(); }

    // Before and after `filter` processes the microphone's block, as often as is worth it: before it learns from the
    // error, since what it has learned from it is like it.
    void hear(AdaptiveFilter& filter) noexcept;
    void learn(const AdaptiveFilter& filter) noexcept;

    // What the loudspeaker plays when it is given this.
    void distort(std::span<float> samples) const noexcept;

    // Take the branches anew, as `line` gives the far end at another delay.
    void realign(const FarLine& line, double delay) noexcept;

    void reset() noexcept;

  private:
    using Row = std::array<double, branches + 1>;

    bool bends_nothing() const noexcept;
    void listen(std::span<const float> far) noexcept;
    void branch(std::size_t index, std::span<const float> samples, std::span<float> out) const noexcept;
    void regress(const AdaptiveFilter& filter) noexcept;
    std::array<double, branches> solution() const noexcept;

    std::size_t block_, channels_;
    FarSpectra spectra_;  // of the branches of each channel
    std::size_t bins_;    // that are heard
    std::vector<float> blocks_, importance_;
    Spectrum echoes_;  // of the branches, a row each
    struct State {
        std::size_t known_blocks = 0, cycle = 0;
        float peak = 0.05f;                        // of the far end
        std::array<float, branches> weights{};     // of the branches
        std::array<Row, branches> correlations{};  // of the branches' echoes with each other, and with the error
    };
    State state_;
};

}  // namespace spike
