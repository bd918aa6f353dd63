// Notices that a microphone gives nothing that was heard.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace spike {

// A mute switch gives digital silence; a driver that has lost its device gives the same samples again and again.
class MicrophoneWatch {
  public:
    explicit MicrophoneWatch(int sample_rate_hz);

    // One block. Whether it holds nothing that was heard. Repetitions are looked for if it is `suspicious`.
    bool is_deaf(std::span<const float> block, bool suspicious) noexcept;

    void reset() noexcept;

  private:
    bool repeats(std::span<const float> block) const noexcept;

    std::vector<float> past_;  // oldest first
};

}  // namespace spike
