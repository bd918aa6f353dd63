// How much of the microphone the model explains, measured over a tenth of a second to a second.
#pragma once

#include <span>

namespace spike {

class EchoMeter {
  public:
    // One block of the microphone, what the model leaves of it, and the echo that it predicts.
    struct Block {
        std::span<const float> microphone, error, echo;
    };

    // What the sure filter makes of a block; quick, so that a path that changes is noticed at once.
    void hear_model(const Block& block) noexcept;

    // What is made of the block in the end.
    void hear_result(const Block& block) noexcept;

    // Of the far end alone: what it was, what the linear stage left of it, and what is sent. Both sides are to be of
    // the same moment.
    void hear_echo_alone(std::span<const float> microphone, std::span<const float> error,
                         std::span<const float> out) noexcept;

    // Over a fifth of a second: the microphone is loud enough to judge, and the model leaves less than this share of
    // it.
    bool leaves_less_than(float share) const noexcept;

    // Over a fifth of a second: of the echo that is predicted, the microphone holds enough for the model to stay where
    // it is.
    bool still_works() const noexcept;

    // Over a tenth of a second: the microphone is loud enough to judge.
    bool is_loud() const noexcept;

    bool is_louder_than(float power) const noexcept { return state_.quick.microphone > power; }

    // What the model leaves of the microphone's power over a tenth of a second, 0 to 1.
    float share_left() const noexcept;

    // Over a tenth of a second: so much of the predicted echo is not there that the path must have changed, or may have
    // become another delay.
    bool path_has_changed() const noexcept;
    bool delay_may_have_changed() const noexcept;

    // Echo return loss enhancement in dB, and whether the linear stage alone takes most of the echo.
    float erle_db() const noexcept;
    bool converged() const noexcept;

    // The model was moved: what it left where it was says nothing any more.
    void forget_error() noexcept;

    void reset() noexcept { state_ = {}; }

  private:
    struct Powers {
        float microphone = 0.0f, error = 0.0f;
    };
    struct State {
        Powers slow;  // over a second, of the echo alone
        float out = 0.0f;
        Powers recent;                               // over a fifth of a second
        float recent_echo = 0.0f, explained = 0.0f;  // the predicted echo, and its product with the microphone
        Powers quick;                                // over a tenth of a second
        float quick_echo = 0.0f, overpredicted = 0.0f;
    };
    State state_;
};

}  // namespace spike
