// Finds how long the far end takes to come back through the microphone.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/fft.hpp"
#include "base/spectrum.hpp"
#include "dsp/echo/decimated_lines.hpp"
#include "dsp/echo/drift_finder.hpp"

namespace spike {

// Generalised cross-correlation over about a second, on signals decimated to some 4 kHz, weighted by the far end's
// power (the Roth processor), so that speech's own spectrum does not blur the peak.
//
// Method: C. Knapp and G. Carter, "The generalized correlation method for estimation of time delay", IEEE Transactions
// on Acoustics, Speech, and Signal Processing 24 (1976).
class DelayFinder {
  public:
    // `lines` must outlive the finder.
    explicit DelayFinder(const DecimatedLines& lines);

    // After each block of both lines. Now and then returns a delay in samples, when it is sure of it.
    std::optional<double> process() noexcept;

    // By how much of a sample the delay grows with each sample, if the last call of `process` has found it.
    std::optional<double> growth() const noexcept { return state_.growth; }

    // The delay is known to have grown by so many samples: what has been averaged moves along.
    void drift(double samples) noexcept;

    void reset() noexcept;

  private:
    static constexpr std::size_t nowhere = std::size_t{1} << 31;  // as a candidate: no peak is near

    void move_evidence() noexcept;
    std::optional<double> correlate() noexcept;
    double peak_offset(std::size_t lag) const noexcept;  // of the parabola through a peak, in lags

    const DecimatedLines* lines_;
    std::size_t factor_;
    std::size_t window_;   // microphone samples a correlation, decimated
    std::size_t max_lag_;  // decimated
    RealFft fft_;
    std::vector<float> time_;
    Spectrum far_, microphone_, cross_;
    std::vector<float> far_power_;
    DriftFinder drift_finder_;
    struct State {
        double drifted = 0.0;  // since the last correlation, decimated
        std::optional<double> growth;
        std::size_t filled = 0;
        std::size_t candidate = nowhere;
        int agreed = 0;
    };
    State state_;
};

}  // namespace spike
