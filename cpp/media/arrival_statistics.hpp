// Learns from the arrivals of packets how long to wait for them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "media/peak_detector.hpp"

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

    // A piece of sound of `duration` samples that begins at `begin` in the voice can be played `now`, after so many
    // samples; the difference is its lateness. `repeated`: a later packet brought it.
    void add(std::int64_t now, std::int64_t begin, std::size_t duration, bool repeated = false) noexcept;

    bool empty() const noexcept { return total_ <= 0.0f; }
    std::int64_t earliest() const noexcept { return earliest_; }  // least lateness of the last seconds
    std::int64_t target() const noexcept { return target_; }      // lateness that is worth waiting for
    std::int64_t latest() const noexcept;                         // of the last few packets

    void reset() noexcept;

  private:
    static constexpr std::size_t bins = 2048;
    static constexpr float bin_ms = 1.25f;
    static constexpr std::int64_t head_bins = 512;  // kept free for packets that come sooner than any before

    struct Extremes {
        std::int64_t least = 0, most = 0;
    };

    void recentre(std::int64_t lateness) noexcept;
    void follow_extremes(std::int64_t lateness, std::size_t duration) noexcept;
    std::int64_t samples_of(float milliseconds) const noexcept;
    void choose(std::int64_t now) noexcept;
    std::size_t bin_of(std::int64_t lateness) const noexcept {
        return static_cast<std::size_t>(
            std::clamp<std::int64_t>((lateness - origin_) / bin_samples_, 0, static_cast<std::int64_t>(bins) - 1));
    }

    std::int64_t bin_samples_;
    float rate_hz_;
    std::int64_t origin_ = 0;
    std::array<float, bins> mass_{};
    float total_ = 0.0f;
    std::int64_t earliest_ = 0, target_ = 0;
    PeakDetector peaks_;
    std::int64_t mended_ = 0, mended_until_ = 0;  // greatest lateness of what was repeated
    std::int64_t guess_ = 0, guessed_until_ = 0;  // of a voice that has just begun
    std::array<Extremes, 4> windows_{};           // the last two seconds and a half; the first one is being filled
    std::size_t window_filled_ = 0;
    std::array<std::int64_t, 10> last_{};
    std::size_t count_ = 0;
};

}  // namespace spike
