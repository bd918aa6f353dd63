// Tells whether packets come late again and again, or came late once.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace spike {

// Times are in samples.
class PeakDetector {
  public:
    explicit PeakDetector(int sample_rate_hz) noexcept
        : merged_(sample_rate_hz / 2), longest_gap_(10 * sample_rate_hz), least_span_(3 * sample_rate_hz) {}

    // At `now`, a packet came `lateness` after its time.
    void add(std::int64_t now, std::int64_t lateness) noexcept {
        if (count_ > 0 && now - peaks_[0].at < merged_) {
            peaks_[0].height = std::max(peaks_[0].height, lateness);
            return;
        }
        std::shift_right(peaks_.begin(), peaks_.end(), 1);
        peaks_[0] = {now, lateness};
        count_ = std::min(count_ + 1, peaks_.size());
    }

    struct Recurrence {
        std::int64_t height = 0;  // of the highest peak, 0 where there is no recurrence
        std::int64_t period = 1;  // mean distance of the peaks
    };

    // Peaks recur while the last three or more, spread over at least three seconds, are not twice as long ago as they
    // were apart. What happened within less was one burst.
    Recurrence recurrence(std::int64_t now) const noexcept {
        std::int64_t height = count_ > 0 ? peaks_[0].height : 0, widest = 0;
        for (std::size_t n = 1; n < count_; ++n) {
            const std::int64_t gap = peaks_[n - 1].at - peaks_[n].at;
            if (gap > longest_gap_) break;
            height = std::max(height, peaks_[n].height);
            widest = std::max(widest, gap);
            const std::int64_t span = peaks_[0].at - peaks_[n].at;
            if (n >= 2 && span >= least_span_)
                return now - peaks_[0].at > 2 * widest ? Recurrence{}
                                                       : Recurrence{height, span / static_cast<std::int64_t>(n)};
        }
        return {};
    }

    void reset() noexcept { count_ = 0; }

  private:
    struct Peak {
        std::int64_t at = 0, height = 0;
    };

    std::int64_t merged_, longest_gap_, least_span_;
    std::array<Peak, 8> peaks_{};  // the newest first
    std::size_t count_ = 0;
};

}  // namespace spike
