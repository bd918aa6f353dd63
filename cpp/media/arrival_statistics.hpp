// Learns from the arrivals of packets how long to wait for them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace spike {

// A histogram of lateness that forgets, and of all delays the one that costs least: a delay costs more the longer it
// is, and so does each packet that would come too late for it. This is a quantile that depends on what it takes to
// reach it: few milliseconds are spent for one packet in hundreds, many only for one in ten.
//
// After S. B. Moon, J. Kurose and D. Towsley, "Packet audio playout delay adjustment: performance bounds and
// algorithms", Multimedia Systems 6 (1998).
class ArrivalStatistics {
  public:
    explicit ArrivalStatistics(int sample_rate_hz) noexcept;

    // A piece of sound that lasts `duration` samples can be played from `lateness` on: what has been played so far,
    // less its timestamp, both in samples.
    void add(std::int64_t lateness, std::size_t duration) noexcept;

    bool empty() const noexcept { return total_ <= 0.0f; }
    std::int64_t earliest() const noexcept { return earliest_; }  // least lateness of the last seconds
    std::int64_t target() const noexcept { return target_; }      // lateness that is worth waiting for
    std::int64_t latest() const noexcept;                         // of the last few packets

    // From another timeline on: what was learned moves along.
    void shift(std::int64_t samples) noexcept;

    void reset() noexcept;

  private:
    static constexpr std::size_t bins = 1024;
    static constexpr float bin_ms = 2.5f;
    static constexpr std::int64_t head_bins = 256;  // kept free for packets that come sooner than any before

    void recentre(std::int64_t lateness) noexcept;
    void follow_earliest(std::int64_t lateness, std::size_t duration) noexcept;
    void choose() noexcept;

    std::int64_t bin_samples_;
    float rate_hz_;
    std::int64_t origin_ = 0;
    std::array<float, bins> mass_{};
    float total_ = 0.0f;
    std::int64_t earliest_ = 0, target_ = 0;
    std::int64_t least_ = 0, least_before_ = 0;  // of the window that is being filled, and of the one before
    std::size_t window_filled_ = 0;
    std::array<std::int64_t, 10> last_{};
    std::size_t count_ = 0;
};

}  // namespace spike
