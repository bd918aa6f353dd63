// Measures how far the clocks of loudspeaker and microphone run apart.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace spike {

// A phase-locked loop. Where the two clocks differ, the adaptive filter always comes late: its echo is a little too old
// or too young, and the error holds the echo's derivative. The delay that explains the error best, weighted over
// frequency by how much of the error is echo, drives the rate at which the far end is read.
class DriftTracker {
  public:
    DriftTracker(std::size_t block_samples, int sample_rate_hz);

    // Spectra of one block of what is left of the microphone, and of the predicted echo, planar.
    void process(std::span<const float> error_real, std::span<const float> error_imag, std::span<const float> echo_real,
                 std::span<const float> echo_imag, bool trusted) noexcept;

    // A delay in samples that was found `moment` samples into the stream: a coarse drift is seen on a run of them.
    void observe_delay(double moment, double delay) noexcept;

    // By how much of a sample the echo comes earlier with each sample, in millionths.
    float drift_ppm() const noexcept { return static_cast<float>(1e6 * drift_); }

    // The same as a change of delay per sample; 0 until it is sure that there is one.
    double delay_step() const noexcept { return engaged_ ? -drift_ : 0.0; }

    void reset() noexcept;

  private:
    struct Line {
        double slope, deviation;  // of a least-squares fit, samples per sample
    };
    Line line(std::size_t first, std::size_t count) const noexcept;
    void follow() noexcept;

    static constexpr std::size_t run = 12;  // delays that a line is laid through

    std::size_t from_, to_;  // bins
    float radians_per_bin_;
    double late_ = 0.0, information_ = 0.0;  // sums over some blocks
    double block_samples_, rate_hz_;
    int blocks_ = 0;
    double drift_ = 0.0;
    bool engaged_ = false;  // there has been a drift that is worth undoing
    std::array<double, run> moments_{}, delays_{};
    std::size_t seen_ = 0;
};

}  // namespace spike
