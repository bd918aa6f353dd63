// Whether what the microphone hears was played before, sample by sample.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/fft.hpp"
#include "base/spectrum.hpp"
#include "dsp/echo/decimated_lines.hpp"

namespace spike {

// A tenth to a seventh of a second of an echo stands out among all delays, even in a live room and under somebody who
// talks; two voices are never as alike. So a sound that was not played is known long before a filter could have learned
// it. Listens up to 4 kHz, from `begin` on until an echo is certain.
//
// Method: the phase transform, C. H. Knapp and G. C. Carter, "The generalized correlation method for estimation of time
// delay", IEEE Transactions on Acoustics, Speech, and Signal Processing 24 (1976).
class PhaseMatch {
  public:
    PhaseMatch(std::size_t block_samples, int sample_rate_hz);

    // One block.
    void hear(std::span<const float> microphone, std::span<const float> far) noexcept;

    // A sound begins in the microphone.
    void begin() noexcept;

    // A sound has begun so lately that nothing can be said of it.
    bool is_undecided() const noexcept { return state_.is_listening && state_.age_blocks < blocks_to_judge; }

    // What has been heard since `begin` is no echo.
    bool is_none() const noexcept { return state_.is_none; }

    void reset() noexcept;

  private:
    static constexpr int blocks_to_judge = 25;

    void end_hop() noexcept;
    void correlate() noexcept;
    void judge() noexcept;
    float loudest_lags() noexcept;

    std::size_t window_, span_, lags_;  // in decimated samples
    DecimatedLine microphone_, far_;
    RealFft fft_;
    std::vector<float> time_;
    Spectrum far_spectrum_, microphone_spectrum_, cross_;
    std::size_t first_bin_, last_bin_;
    struct State {
        std::size_t blocks = 0;  // of this hop
        bool is_listening = false;
        int age_blocks = 0;      // since `begin`, up to `blocks_to_judge`
        int hops = 0;            // of these in which both sides were loud
        float far_power = 0.0f;  // of the loudest hop of late
        bool is_none = false;
    };
    State state_;
};

}  // namespace spike
