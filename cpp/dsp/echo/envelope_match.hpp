// Whether the microphone has the rhythm of what was played.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace spike {

// However a loudspeaker or a device bends an echo, it is loud where and when the far end was: the levels of its bands
// rise and fall with those of the far end some time ago. Somebody who talks has a rhythm of their own. The correlation
// of both, over about a second and at all delays, tells them apart before a filter has learned anything.
class EnvelopeMatch {
  public:
    static constexpr std::size_t bands = 16;
    using Bands = std::array<float, bands>;

    EnvelopeMatch();

    // One block: powers of the bands, as means over samples.
    void hear(const Bands& microphone, const Bands& far) noexcept;

    // A sound begins in the microphone: what was heard before says nothing.
    void begin() noexcept;

    // At some delay the far end had the rhythm of what has been heard since `begin`.
    bool is_alike() const noexcept { return state_.is_alike; }

    void reset() noexcept;

  private:
    static constexpr std::size_t delays = 101;  // blocks, from 0 on

    struct Sums {  // of logarithms of the far end's powers, and of their products with the microphone's
        Bands levels{};
        float squares = 0.0f, products = 0.0f;
    };

    void follow(Sums& sums, const Bands& far, const Bands& microphone) const noexcept;
    void judge() noexcept;

    std::vector<Bands> far_;  // logarithms of the powers, in turn
    std::vector<Sums> sums_;  // for each delay
    struct State {
        std::size_t now = 0;  // in far_
        int blocks = -1;      // since `begin`; before it, none are counted
        float weight = 0.0f;  // of all blocks, as the sums have it
        Bands levels{};       // sums of the microphone's logarithms
        float squares = 0.0f;
        bool is_alike = false;
    };
    State state_;
};

}  // namespace spike
