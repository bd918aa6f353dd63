// Decides at which delay the model of the path begins.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "dsp/echo/decimated_lines.hpp"
#include "dsp/echo/delay_finder.hpp"
#include "dsp/echo/drift_tracker.hpp"
#include "dsp/echo/far_line.hpp"
#include "dsp/echo/filter_pair.hpp"
#include "dsp/echo/fine_alignment.hpp"
#include "dsp/echo/jump_finder.hpp"

namespace spike {

// Watches the delay by three means: correlation finds it, a phase-locked loop follows two clocks that run apart, and
// when it jumps, the room that is known shows at once where to. What is to be done comes out as an order; the canceller
// carries it out.
class Placement {
  public:
    struct Config {
        int sample_rate_hz = 48000;
        std::size_t block_samples = 480, channels = 1;
        std::size_t tail_ms = 260, max_delay_ms = 1000;
    };

    // How the far end is to be read from now on.
    struct Order {
        std::ptrdiff_t blocks = 0;   // by which the model is shifted
        bool from_memory = false;    // the room has stayed, the buffers have not: what was known before is right again
        bool has_jumped = false;     // and what was learned meanwhile is not
        bool is_unexpected = false;  // there is an echo where none was believed possible
    };

    // Where the far end's next block is read.
    struct Reading {
        double begin = 0.0;  // delay in samples of the block's last one
        double step = 0.0;   // by which the delay grows with each sample
    };

    // What is known of the model, as of the last block.
    struct Evidence {
        bool is_loud, is_no_echo;  // the microphone, and louder than any echo was believed to be
        bool works, overpredicts;  // EchoMeter::still_works, delay_may_have_changed
        float share_left;
        bool has_converged;
    };

    // `line` and `filters`, whose memory says what to look for, must outlive this.
    Placement(const Config& config, const FarLine& line, FilterPair& filters);

    // One block of both signals; the far end mono.
    void push(std::span<const float> microphone, std::span<const float> far) noexcept;

    // Moves with the drift.
    Reading advance() noexcept;

    // Spectra of a block's error and predicted echo.
    void follow_drift(SpectrumView error, SpectrumView echo, bool is_trusted) noexcept;

    // After each block, in this order; each order is to be carried out before the next step.
    std::optional<Order> follow_delay(const Evidence& evidence) noexcept;
    std::optional<Order> catch_a_jump(const Evidence& evidence) noexcept;
    std::optional<Order> make_room_for_the_first_sound(const Evidence& evidence) noexcept;

    // What the devices' timestamps say of the delay. Heeded until the model has found the echo by itself.
    std::optional<Order> hint(double delay_ms) noexcept;

    // A guess at the delay: heeded as long as none has been found.
    std::optional<Order> expect(double delay_ms) noexcept { return is_placed() ? std::nullopt : hint(delay_ms); }

    double begin() const noexcept { return state_.begin; }
    float delay_ms() const noexcept { return state_.delay_ms; }  // 0 until it is found
    float drift_ppm() const noexcept { return drift_tracker_.drift_ppm(); }

    // No jump is suspected, and none was just made good.
    bool is_settled() const noexcept { return state_.settling_frames == 0 && state_.frames_of_doubt == 0; }

    // The model is wrong, and it may be that the delay has jumped.
    bool is_in_doubt() const noexcept { return state_.is_in_doubt; }

    void reset() noexcept;

  private:
    Order begin_at(double begin, std::ptrdiff_t blocks) noexcept;
    std::optional<Order> move_model(double found, bool works) noexcept;
    void expect_a_jump() noexcept;
    std::optional<Order> jump(double moved) noexcept;
    bool is_placed() const noexcept { return state_.placed_for >= 0.0; }
    void tell_delay(double samples) noexcept;

    Config config_;
    double block_;
    FilterPair* filters_;
    DecimatedLines decimated_lines_;
    DelayFinder delay_finder_;
    JumpFinder jump_finder_;
    FineAlignment fine_alignment_;
    DriftTracker drift_tracker_;
    struct State {
        double begin = 0.0;        // the delay at which the model begins, in samples
        double placed_for = -1.0;  // the delay that it was placed for, or -1
        double proposed = 0.0;     // the last delay that speaks against it
        bool has_worked = false;   // the model has converged since it was placed
        bool was_right = false;    // the model explained the microphone until now
        bool is_in_doubt = false;
        int settling_frames = 0;  // since it has jumped
        int frames_of_doubt = 0;  // for which the delay may have jumped
        int working_frames = 0;   // of a model that begins close to the loudest sound
        double surprise = 0.0;    // a delay that was found where no echo was believed possible
        int surprises = 0;        // delays in a row that say the same, where no echo was believed possible
        int proofs = 0;           // how much more often it was found than others
        float delay_ms = 0.0f;
    };
    State state_;
};

}  // namespace spike
