// Puts packets into their order and learns from how they come.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "media/arrival_statistics.hpp"
#include "media/media_timeline.hpp"
#include "media/packet_buffer.hpp"
#include "media/packet_slots.hpp"
#include "media/receiver_stats.hpp"
#include "media/voice_decoder.hpp"

namespace spike {

// One for each format that has come.
using DecoderBank = std::array<std::unique_ptr<VoiceDecoder>, 8>;

// A packet that does not go on from those before it, because its sender began anew or it is no packet of this voice at
// all, waits for a second one that goes on from it (RFC 3550 appendix A.1).
class PacketIntake {
  public:
    PacketIntake(int sample_rate_hz, PacketSlots& slots, const DecoderBank& decoders, ReceiverStats& stats) noexcept;

    // Take what was stored since the last call. `played`: samples given so far; `position`: where in the voice the
    // sound that is given next but was not decoded yet begins. What comes before it is late.
    void take(std::uint32_t generation, std::int64_t played, std::int64_t position) noexcept;

    PacketBuffer& waiting() noexcept { return waiting_; }
    const ArrivalStatistics& arrivals() const noexcept { return arrivals_; }
    std::optional<std::int64_t> timestamp_at(std::int64_t position) const noexcept;

    // Whether nothing is missing of the packets `first` to `end`, `end` not included.
    bool all_came(std::int64_t first, std::int64_t end) const noexcept;

    void discard_front() noexcept { slots_->release(waiting_.pop().slot); }
    void reset() noexcept;

  private:
    struct Moment {
        std::int64_t played, position;
    };

    void take_one(std::uint16_t slot, const Moment& now) noexcept;
    bool follows(const PacketHeader& header, int clock_rate_hz, const Moment& now) const noexcept;
    void doubt(std::uint16_t slot, const Moment& now) noexcept;
    void begin(const PacketHeader& header, const Moment& now) noexcept;
    void accept(std::uint16_t slot, const Moment& now) noexcept;
    bool count(const PacketHeader& header, std::int64_t sequence_number) noexcept;
    bool in_order(const PacketHeader& header) const noexcept;
    void take_empty(const PacketHeader& header, const Moment& now) noexcept;
    void keep(WaitingPacket packet, const Moment& now) noexcept;
    void measure_jitter(const PacketHeader& header) noexcept;

    const VoiceDecoder& decoder(const PacketHeader& header) const noexcept { return *(*decoders_)[header.decoder]; }
    bool seen(std::int64_t sequence_number) const noexcept {
        return seen_[static_cast<std::uint64_t>(sequence_number) % seen_.size()] == sequence_number;
    }
    bool held(std::int64_t begin) const noexcept;

    PacketSlots* slots_;
    const DecoderBank* decoders_;
    ReceiverStats* stats_;
    PacketBuffer waiting_;
    ArrivalStatistics arrivals_;
    int sample_rate_hz_;
    MediaTimeline timeline_;
    bool begun_ = false;                     // there is a timeline
    std::optional<std::uint16_t> doubtful_;  // slot of the packet that waits for a second one
    std::uint32_t ssrc_ = 0;
    std::int64_t first_ = 0, newest_ = 0, received_ = 0, lost_before_ = 0;  // of this run, and in runs before
    std::int64_t newest_begin_ = 0;                                         // of the newest packet's sound
    std::array<std::int64_t, 1024> seen_{};                                 // sequence numbers
    std::array<std::int64_t, 64> held_{};                                   // begins of sounds that came
    std::size_t next_held_ = 0;
    double transit_ms_ = 0.0;
    bool measured_ = false;
};

}  // namespace spike
