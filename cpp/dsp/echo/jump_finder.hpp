// Finds at once where the echo has gone when the path's delay jumps.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/fft.hpp"
#include "base/spectrum.hpp"
#include "dsp/echo/decimated_lines.hpp"

namespace spike {

// What the room did to the far end is known from before the jump, so that the echo can be predicted at every delay. The
// normalised cross-correlation of that prediction with the microphone, both whitened by half (in decibels), stands out
// within less than 0.1 s: all of the room's reflections add up, where the far end alone would show them apart.
class JumpFinder {
  public:
    // `lines` must outlive the finder; `response_samples`: of the model, undecimated.
    JumpFinder(const DecimatedLines& lines, std::size_t response_samples);

    // A buffer for the model's impulse response, to be filled before `expect`.
    std::span<float> response() noexcept { return response_; }

    // Begins anew. The response's first `lead` samples hold nothing: jumps to earlier delays are found by so much.
    void expect(std::size_t lead) noexcept;

    // Compares the last 80 ms of the microphone with the far end through the model, which is read from `begin`. Returns
    // by how many samples the echo is later than there, once that is sure.
    std::optional<double> look(double begin) noexcept;

    // Another delay than the model's explains the microphone better, as of the last look.
    bool is_elsewhere() const noexcept { return state_.is_elsewhere; }

    void reset() noexcept;

  private:
    // What two whitened signals have in common, -1 to 1.
    struct Match {
        double moved = 0.0;   // from the delay that the model has, to the likeliest, in samples
        float best = 0.0f;    // there
        float second = 0.0f;  // at the likeliest delay apart from it
        float here = 0.0f;    // at the model's delay
    };

    void predict() noexcept;
    void whiten() noexcept;
    void compare() noexcept;
    Match match(double here) const noexcept;
    double between_lags(std::size_t place) const noexcept;  // the top of the parabola through a peak

    const DecimatedLines* lines_;
    std::size_t window_, lags_, length_;  // decimated
    RealFft fft_;
    Decimator decimator_;
    double offset_ = 0.0;  // of a lag from the delay that it stands for
    std::vector<float> response_, kept_, time_, echo_;
    Spectrum model_, echo_spectrum_, microphone_;
    std::vector<float> echo_power_, microphone_power_;
    std::vector<double> energy_;   // of the whitened prediction up to each sample
    std::vector<float> likeness_;  // at each delay, the longest first; averaged over the looks
    struct State {
        float weight = 0.0f;  // that the average has so far
        double moved = 0.0;
        float evidence = 0.0f;
        bool is_elsewhere = false;
    };
    State state_;
};

}  // namespace spike
