// Where RTP's timestamps lie among the samples of one receiver.
#pragma once

#include <cstdint>

#include "media/unwrapper.hpp"

namespace spike {

// One run of a sender: sequence numbers and timestamps that go on from each other.
class MediaTimeline {
  public:
    // A run that begins with this packet, whose sound lies at `time`.
    MediaTimeline(std::uint16_t sequence_number, std::uint32_t timestamp, int clock_rate_hz, int output_rate_hz,
                  std::int64_t time) noexcept
        : clock_rate_hz_(clock_rate_hz), output_rate_hz_(output_rate_hz), begin_(timestamp), time_(time) {
        sequence_numbers_.unwrap(sequence_number);
        timestamps_.unwrap(timestamp);
    }
    MediaTimeline() = default;

    int clock_rate_hz() const noexcept { return clock_rate_hz_; }

    // What they would be, and from now on.
    std::int64_t peek_time(std::uint32_t timestamp) const noexcept { return time_of(timestamps_.peek(timestamp)); }
    std::int64_t peek_sequence(std::uint16_t number) const noexcept { return sequence_numbers_.peek(number); }
    std::int64_t time(std::uint32_t timestamp) noexcept { return time_of(timestamps_.unwrap(timestamp)); }
    std::int64_t sequence(std::uint16_t number) noexcept { return sequence_numbers_.unwrap(number); }

    std::int64_t samples(std::int64_t ticks) const noexcept {
        return floor_product(ticks, output_rate_hz_, clock_rate_hz_);
    }
    std::int64_t timestamp_at(std::int64_t time) const noexcept {
        return begin_ + floor_product(time - time_, clock_rate_hz_, output_rate_hz_);
    }

  private:
    static std::int64_t floor_product(std::int64_t value, int up, int down) noexcept {
        const std::int64_t product = value * up;
        return product / down - (product % down < 0 ? 1 : 0);
    }
    std::int64_t time_of(std::int64_t timestamp) const noexcept { return time_ + samples(timestamp - begin_); }

    int clock_rate_hz_ = 48000, output_rate_hz_ = 48000;
    Unwrapper<std::uint16_t> sequence_numbers_;
    Unwrapper<std::uint32_t> timestamps_;
    std::int64_t begin_ = 0, time_ = 0;
};

}  // namespace spike
