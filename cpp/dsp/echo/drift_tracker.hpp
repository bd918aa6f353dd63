// Measures how far the clocks of loudspeaker and microphone run apart.
#pragma once

#include <cstddef>

#include "base/spectrum.hpp"

namespace spike {

// A phase-locked loop. Where the two clocks differ, the adaptive filter always comes late: its echo is a little too old
// or too young, and the error holds the echo's derivative. The delay that explains the error best, weighted over
// frequency by how much of the error is echo, drives the rate at which the far end is read.
class DriftTracker {
  public:
    explicit DriftTracker(std::size_t block_samples);

    // Spectra of one block of what is left of the microphone, and of the predicted echo.
    void process(SpectrumView error, SpectrumView echo, bool trusted) noexcept;

    // By how much of a sample the delay was found to grow with each: a coarse drift, which the loop makes exact.
    void observe(double growth) noexcept;

    // By how much of a sample the echo comes earlier with each sample, in millionths.
    float drift_ppm() const noexcept { return static_cast<float>(1e6 * state_.drift); }

    // The same as a change of delay per sample; 0 until it is sure that there is one.
    double delay_step() const noexcept { return state_.engaged ? -state_.drift : 0.0; }

    void reset() noexcept { state_ = {}; }

  private:
    void follow() noexcept;

    std::size_t from_, to_;  // bins
    float radians_per_bin_;
    double block_samples_;
    struct State {
        double late = 0.0, information = 0.0;  // sums over some blocks
        int blocks = 0;
        double drift = 0.0;
        bool engaged = false;  // there has been a drift that is worth undoing
    };
    State state_;
};

}  // namespace spike
