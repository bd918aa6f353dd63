// How much of the far end can come back through the microphone at all.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "base/spectrum.hpp"
#include "base/stft.hpp"
#include "dsp/echo/envelope_match.hpp"
#include "dsp/echo/phase_match.hpp"

namespace spike {

// An upper bound on the echo, band by band, that knows nothing of delays and models. Whatever the far end plays has
// come back within some time; if the microphone was quiet for as long, then that is how quiet its echo is. The bound is
// the least ratio of what the microphone heard to what was played before. It rises slowly, or at once where a model
// proves that there is more. With headphones it falls to the room's noise: what is louder is no echo.
class EchoReturn {
  public:
    static constexpr std::size_t bands = EnvelopeMatch::bands;

    EchoReturn(std::size_t block_samples, int sample_rate_hz);

    // One block: the microphone, its spectrum, as Stft makes it of two blocks, and the far end as it is played now.
    struct Block {
        std::span<const float> microphone;
        SpectrumView spectrum;
        std::span<const float> far;
        bool is_deaf = false;  // the microphone gives nothing that was heard: nothing is learned
    };
    void hear(const Block& block) noexcept;

    // After `hear`: whether the microphone hears something loud.
    void notice(bool is_loud) noexcept;

    // Nothing of what is heard was played: no model has proved an echo, none is found sample by sample, and the far end
    // had another rhythm.
    bool is_none() const noexcept { return !state_.is_proven && phase_match_.is_none() && !envelope_match_.is_alike(); }

    // A model has learned to predict what is heard: there is an echo, and it may be all that the microphone hears. Not
    // believed of what was not played: a model can learn a second of anything by heart.
    void raise() noexcept;

    // All that was learned is wrong: there is an echo.
    void forget() noexcept;

    // The most power that the echo can have now, as a sum of the spectrum's bins, and as a mean over samples.
    float most_echo(std::size_t band) const noexcept { return state_.most_echo[band]; }
    float most_echo() const noexcept;

    // The same of a band, where `notice` may know better; too sure for a model to be judged by it.
    float likely_echo(std::size_t band) const noexcept {
        return std::min(state_.most_echo[band], state_.likely_echo[band]);
    }

    // How much of the far end's power comes back at most, up to 1.
    float share() const noexcept;

    // How many times the far end's power the microphone heard in a band, both at their loudest within the last second
    // or so; 0 as long as the far end says nothing aloud.
    float times_heard(std::size_t band) const noexcept { return state_.times_heard[band]; }

    // The bins of a band.
    std::size_t begin(std::size_t band) const noexcept { return edges_[band]; }
    std::size_t end(std::size_t band) const noexcept { return edges_[band + 1]; }

    void reset() noexcept;

  private:
    static constexpr std::size_t chunks = 14,
                                 chunk_blocks = 10;  // 1.4 s: the longest delay, and a room's reverberation
    using Bands = std::array<float, bands>;

    void follow(SpectrumView spectrum, Bands& powers) const noexcept;
    void follow_far(std::span<const float> far) noexcept;
    void match(const Block& block) noexcept;
    void bound_echo() noexcept;
    void end_chunk() noexcept;
    void compare_loudest() noexcept;

    Stft stft_;
    Stft::Analysis far_;
    EnvelopeMatch envelope_match_;
    PhaseMatch phase_match_;
    std::array<std::size_t, bands + 1> edges_{};
    struct State {
        Bands microphone{}, far{};  // powers, smoothed
        float far_power = 0.0f;     // of the last block
        Bands returned{};           // the bound on their ratio
        Bands loudest{};            // of the far end, so far
        Bands most_echo{}, most_far{};
        std::array<Bands, chunks> heard{}, played{};  // the most in each chunk, in turn
        std::array<bool, chunks> deaf{};
        std::size_t chunk = 0, blocks = 0, known_chunks = 0;
        Bands likely_echo{}, times_heard{};
        bool is_proven = false;      // there is or was an echo
        Bands loudest_heard{};       // by the microphone, within the last second or so
        float loudest_sound = 0.0f;  // of the microphone, so far
    };
    State state_;
};

}  // namespace spike
