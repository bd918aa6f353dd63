#include "media/arrival_statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace spike {
namespace {

constexpr float memory_s = 2.0f;
constexpr float late_percent_ms = 40.0f;  // what one packet in a hundred that comes too late costs
constexpr float window_s = 0.6f;          // a window of extremes, of which there are four
constexpr float lasting_ms = 10.0f;       // delay that stays for as long as the histogram remembers
constexpr float mended_s = 6.0f;          // for which what later packets repeat is waited for after it was needed
constexpr float new_way_ms = 100.0f;      // by how much packets come sooner where everything is different
constexpr float peak_ms = 10.0f;          // lateness that is one
constexpr float first_guess_ms = 20.0f;   // jitter to expect before any was seen
constexpr float first_guess_s = 2.5f;     // the first loss comes by then, or seldom

// What a delay costs, in the same unit: nearly nothing where nobody notices, in proportion from `noticed` on.
float delay_cost(float delay_ms) noexcept {
    constexpr float noticed_ms = 100.0f;
    return delay_ms < noticed_ms ? delay_ms * delay_ms / noticed_ms : 2.0f * delay_ms - noticed_ms;
}

}  // namespace

ArrivalStatistics::ArrivalStatistics(int sample_rate_hz) noexcept
    : bin_samples_(static_cast<std::int64_t>(static_cast<float>(sample_rate_hz) * bin_ms / 1000.0f)),
      rate_hz_(static_cast<float>(sample_rate_hz)),
      peaks_(sample_rate_hz) {}

void ArrivalStatistics::add(std::int64_t now, std::int64_t begin, std::size_t duration, bool repeated) noexcept {
    const std::int64_t lateness = now - begin;
    // Much sooner than before: nothing was played meanwhile, or the network has another way. What was learned is over.
    if (!empty() && lateness < earliest_ - samples_of(new_way_ms)) reset();
    const bool first = empty();
    if (first) origin_ = lateness - head_bins * bin_samples_;
    follow_extremes(lateness, first ? 0 : duration);
    last_[count_++ % last_.size()] = lateness;
    const float keep = first ? 0.0f : std::exp(-static_cast<float>(duration) / (memory_s * rate_hz_));
    if (lateness < origin_ || lateness >= origin_ + static_cast<std::int64_t>(bins) * bin_samples_) recentre(lateness);
    for (float& mass : mass_) mass *= keep;
    mass_[bin_of(lateness)] += 1.0f - keep;
    total_ = total_ * keep + 1.0f - keep;
    if (first) {
        guess_ = lateness + samples_of(first_guess_ms);
        guessed_until_ = now + samples_of(1000.0f * first_guess_s);
    }
    if (lateness - earliest_ > samples_of(peak_ms)) peaks_.add(now, lateness - earliest_);
    if (repeated) {
        mended_ = now < mended_until_ ? std::max(mended_, lateness) : lateness;
        mended_until_ = now + samples_of(1000.0f * mended_s);
    }
    choose(now);
}

void ArrivalStatistics::recentre(std::int64_t lateness) noexcept {
    const std::int64_t places = (lateness - origin_) / bin_samples_ - head_bins;
    if (std::abs(places) >= static_cast<std::int64_t>(bins)) {
        mass_.fill(0.0f);
        total_ = 0.0f;
    } else if (places > 0) {
        std::shift_left(mass_.begin(), mass_.end(), places);
        std::fill(mass_.end() - places, mass_.end(), 0.0f);
    } else {
        std::shift_right(mass_.begin(), mass_.end(), -places);
        std::fill(mass_.begin(), mass_.begin() - places, 0.0f);
    }
    origin_ += places * bin_samples_;
    total_ = std::accumulate(mass_.begin(), mass_.end(), 0.0f);
}

void ArrivalStatistics::follow_extremes(std::int64_t lateness, std::size_t duration) noexcept {
    if (empty()) windows_.fill({lateness, lateness});
    if (window_filled_ > static_cast<std::size_t>(window_s * rate_hz_)) {
        std::shift_right(windows_.begin(), windows_.end(), 1);
        windows_[0] = {lateness, lateness};
        window_filled_ = 0;
    }
    window_filled_ += duration;
    windows_[0] = {std::min(windows_[0].least, lateness), std::max(windows_[0].most, lateness)};
    earliest_ = std::ranges::min(windows_, {}, &Extremes::least).least;
}

std::int64_t ArrivalStatistics::latest() const noexcept {
    return *std::max_element(last_.begin(),
                             last_.begin() + static_cast<std::ptrdiff_t>(std::min(count_, last_.size())));
}

void ArrivalStatistics::choose(std::int64_t now) noexcept {
    const std::size_t quickest = bin_of(earliest_);
    float late = 0.0f, least = INFINITY;
    std::size_t best = bins - 1;
    for (std::size_t bin = bins; bin-- > quickest; late += mass_[bin]) {
        const float delay_ms = static_cast<float>(bin - quickest) * bin_ms;
        const float cost = delay_cost(delay_ms) + 100.0f * late_percent_ms * late / total_;
        if (cost < least) {
            least = cost;
            best = bin;
        }
    }
    // What has not been seen for some seconds is not waited for, but for the least, and for what comes again and again.
    const auto [height, period] = peaks_.recurrence(now);
    std::int64_t most = std::max(std::ranges::max(windows_, {}, &Extremes::most).most,
                                 earliest_ + std::max(samples_of(lasting_ms), height));
    if (now < mended_until_) most = std::max(most, mended_);
    best = std::min(best, bin_of(most));
    if (now < guessed_until_) best = std::max(best, bin_of(guess_));
    const float height_ms = 1000.0f * static_cast<float>(height) / rate_hz_;
    // In a peak of this height, packets are late for as long as it is high.
    const float late_percent = 100.0f * static_cast<float>(height) / static_cast<float>(period);
    if (delay_cost(height_ms) < late_percent_ms * late_percent) best = std::max(best, bin_of(earliest_ + height));
    target_ = origin_ + static_cast<std::int64_t>(best + 1) * bin_samples_;
}

std::int64_t ArrivalStatistics::samples_of(float milliseconds) const noexcept {
    return static_cast<std::int64_t>(milliseconds * rate_hz_ / 1000.0f);
}

void ArrivalStatistics::reset() noexcept {
    mass_.fill(0.0f);
    total_ = 0.0f;
    count_ = window_filled_ = 0;
    mended_until_ = guessed_until_ = 0;
    peaks_.reset();
}

}  // namespace spike
