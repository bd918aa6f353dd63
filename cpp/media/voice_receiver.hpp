// A voice that comes in packets, as samples for a clock that plays.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/published.hpp"
#include "dsp/level_meter.hpp"
#include "media/packet_intake.hpp"
#include "media/packet_slots.hpp"
#include "media/playout.hpp"
#include "media/receiver_stats.hpp"
#include "media/voice_decoder.hpp"

namespace spike {

// A packet of RTP, RFC 3550, without its header.
struct VoicePacket {
    std::span<const std::uint8_t> payload;
    std::uint16_t sequence_number = 0;
    std::uint32_t timestamp = 0;
    double arrival_ms = 0.0;  // of any clock that does not jump
    std::uint32_t ssrc = 0;
    VoiceFormat format{};
};

// What was pulled last.
struct VoiceHeard {
    ReceiverStats stats;
    ReceiverState state = ReceiverState::silence;
    bool begun = false;
    std::int64_t playout_timestamp = 0;  // of the next sample, where `begun`
    std::int64_t pulled_timestamp = 0;   // of the first sample that was pulled last
    std::chrono::steady_clock::time_point pulled_at{};
    float pulled_ms = 0.0f;
    float level = 0.0f, level_dbfs = LevelMeter::floor_dbfs;
};

// Packets in any order, late, repeated or lost; silence, drifting clocks and senders that begin anew. What is missing
// is recovered from what later packets repeat of it or concealed; the delay is as short as the arrivals allow.
//
// Contract: one thread pushes and resets, one pulls; each may be a real-time thread but for the first packet of a
// format, for which push() makes a decoder. Any thread may read what was heard. All decoding is done by pull(). The
// same packets between the same pulls give the same samples.
//
// After NetEQ, of which the idea is: B. Roy and others, the WebRTC project; and after J. Rosenberg, L. Qiu and H.
// Schulzrinne, "Integrating packet FEC into adaptive voice playout buffer algorithms on the Internet", INFOCOM 2000.
class VoiceReceiver {
  public:
    struct Config {
        int sample_rate_hz = 48000;
        double min_delay_ms = 0.0, max_delay_ms = 2000.0;
    };

    // Throws std::invalid_argument for a rate outside 8000 to 48000 or not divisible by 100, or delays that are not
    // 0 <= min_delay_ms <= max_delay_ms <= 2000.
    explicit VoiceReceiver(const Config& config);

    // Throws std::invalid_argument for a format that VoiceDecoder refuses; nothing for what the payload holds. Formats
    // beyond the eighth are discarded.
    void push(const VoicePacket& packet);
    // The payload is one of RFC 2198: the packet with repetitions of earlier ones, all in the same format.
    void push_redundant(const VoicePacket& packet);

    // Fills `out`: silence before the first packet.
    void pull(std::span<float> out) noexcept;

    // Plays nothing sooner than so long after it could, so that something that comes later is not behind. From the next
    // pull on, for any thread to say. Throws std::invalid_argument for what is not in 0 to the longest delay.
    void set_min_delay_ms(double delay_ms);
    double min_delay_ms() const noexcept { return min_delay_ms_.load(std::memory_order_relaxed); }

    // RTP timestamp of what is playing now, if what was pulled last began to play when it was pulled. Nothing before
    // the first packet, and while what plays was not sent.
    std::optional<double> playing_timestamp() const noexcept;

    VoiceHeard heard() const noexcept { return heard_.load(); }

    // From the next pull on as if nothing had ever come; what was pushed before is forgotten.
    void reset() noexcept { generation_.fetch_add(1, std::memory_order_release); }

  private:
    std::optional<std::uint8_t> decoder_for(const VoiceFormat& format);
    std::uint32_t begin_of(const VoicePacket& packet, std::uint8_t decoder) noexcept;
    void store(const VoicePacket& packet, std::uint8_t decoder, bool redundant) noexcept;
    void begin_anew(std::uint32_t generation) noexcept;
    void publish(std::size_t pulled) noexcept;

    struct Pushed {
        std::uint32_t ssrc, timestamp, end;
        std::uint16_t sequence_number;
    };

    Config config_;
    DecoderBank decoders_;
    std::optional<Pushed> pushed_;  // last, but for repetitions
    std::size_t formats_ = 0;
    PacketSlots slots_;
    std::atomic<std::uint32_t> generation_{0};
    std::atomic<std::int64_t> refused_{0};  // by push()
    std::atomic<double> min_delay_ms_;
    ReceiverStats stats_;
    PacketIntake intake_;
    Playout playout_;
    std::uint32_t pulled_generation_ = 0;
    LevelMeter meter_;
    Published<VoiceHeard> heard_;
};

}  // namespace spike
