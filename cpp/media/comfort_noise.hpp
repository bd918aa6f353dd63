// The background of a voice, for the time in which nothing of it comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace spike {

// Remembers the quietest pieces of what was heard and plays short windows of them in random order, with random signs:
// noise of the same level and colour, in which nothing repeats.
class ComfortNoise {
  public:
    explicit ComfortNoise(int sample_rate_hz);

    // What was decoded; it may be any number of samples.
    void learn(std::span<const float> samples) noexcept;

    // Writes noise, silence before anything was learned.
    void fill(std::span<float> out) noexcept;

    // Mean power of the background.
    float power() const noexcept { return floor_; }

    void reset() noexcept;

  private:
    void learn_block(std::span<const float> block) noexcept;
    void begin_window() noexcept;
    std::uint32_t random() noexcept;

    std::size_t block_, hop_;
    std::vector<float> window_;
    std::vector<float> pieces_;  // blocks, the oldest is overwritten
    std::vector<float> sum_;     // of the windows that overlap
    std::size_t next_piece_ = 0, learned_ = 0, given_ = 0;
    float floor_ = 0.0f;
    std::uint32_t seed_ = 1;
};

}  // namespace spike
