// What is played instead of a voice that does not come.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "media/comfort_noise.hpp"
#include "media/pitch_extrapolator.hpp"
#include "media/splice.hpp"
#include "media/voice_decoder.hpp"

namespace spike {

// Goes on with the voice, by the decoder's own means where it has any, fades it out and the background's noise in:
// within 160 ms, or within 80 ms where a period of the voice is repeated, which is soon heard as a buzz.
class Concealer {
  public:
    explicit Concealer(int sample_rate_hz);

    // What was decoded, for the background.
    void learn(std::span<const float> decoded) noexcept { noise_.learn(decoded); }

    std::size_t step() const noexcept { return step_; }  // 10 ms
    std::size_t history_samples() const noexcept { return extrapolator_.history_samples(); }

    bool running() const noexcept { return run_ > 0; }
    bool faded() const noexcept { return run_ >= faded_; }  // only noise is left
    float gain() const noexcept;                            // of the voice
    // The decoder knows nothing of the gap: it does not lead back from what is played instead.
    bool extrapolates() const noexcept { return running() && extrapolates_; }

    // One step of the voice that fades; `history` is what was played, `decoder` may be null.
    void next(std::span<const float> history, VoiceDecoder* decoder, Splice& splice, std::span<float> out) noexcept;
    // The voice comes back: fades `voice` in from the gain that is left, and the noise out.
    void end(std::span<float> voice) noexcept;
    // The voice has been brought back.
    void end() noexcept { run_ = 0; }

    float background_power() const noexcept { return noise_.power(); }

    void reset() noexcept;

  private:
    std::size_t step_, faded_;
    std::size_t run_ = 0;  // samples concealed without an end
    bool extrapolates_ = false;
    ComfortNoise noise_;
    PitchExtrapolator extrapolator_;
    std::vector<float> scratch_;
};

}  // namespace spike
