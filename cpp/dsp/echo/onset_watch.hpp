// Notices when the microphone begins to hear something, and how late that would be as an echo.
#pragma once

#include <cstddef>
#include <optional>

namespace spike {

class OnsetWatch {
  public:
    // One block, as powers. Not for a microphone that gives nothing that was heard.
    void hear(float microphone, float far) noexcept;

    // What the microphone hears is clearly louder than its room's noise, and the far end has been loud of late.
    bool is_loud() const noexcept { return state_.is_loud; }

    // In the first block of a sound after silence: how many blocks ago the far end began.
    std::optional<std::size_t> lateness() const noexcept;

    void reset() noexcept { state_ = {}; }

  private:
    struct State {
        bool is_loud = false, begins = false;
        float quietest = 0.0f;             // the microphone, of late
        float far = 0.0f;                  // smoothed
        float begun = 0.0f;                // as loud as the far end was when it began
        int quiet_blocks = 0;              // of the microphone, until now
        int silent_blocks = 0;             // of the far end
        std::size_t blocks_since_far = 0;  // began
    };
    State state_;
};

}  // namespace spike
