// Decides what is heard next: a packet, what replaces one, or one a little shorter or longer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "media/concealer.hpp"
#include "media/packet_intake.hpp"
#include "media/receiver_stats.hpp"
#include "media/sample_line.hpp"
#include "media/splice.hpp"
#include "media/time_stretch.hpp"

namespace spike {

// The delay between a packet's timestamp and its sound is one number, counted in samples: what was produced so far less
// the place in the voice. Time passes in what is produced only; the place moves with what is decoded, stands while
// nothing is there (the voice is then heard later by so much), and skips what cannot be had any more. In silence the
// delay is set anew for nothing; in speech a period of the pitch is left out or repeated.
class Playout {
  public:
    struct Config {
        int sample_rate_hz = 48000;
        std::int64_t min_delay = 0, max_delay = 0;  // samples
    };

    Playout(const Config& config, PacketIntake& intake, PacketSlots& slots, const DecoderBank& decoders,
            ReceiverStats& stats);

    std::int64_t played() const noexcept { return produced_ - static_cast<std::int64_t>(line_.waiting()); }
    // What comes before it in the voice comes too late.
    std::int64_t position() const noexcept { return begun_ ? position_ : std::numeric_limits<std::int64_t>::min(); }
    // Where in the voice the next sample is that comes out.
    std::int64_t next_position() const noexcept { return position_ - static_cast<std::int64_t>(line_.waiting()); }
    std::int64_t delay() const noexcept { return produced_ - position_; }
    std::int64_t target() const noexcept;  // the delay that there should be
    void keep_back(std::int64_t min_delay) noexcept { config_.min_delay = std::min(min_delay, config_.max_delay); }
    bool begun() const noexcept { return begun_; }
    ReceiverState state() const noexcept { return state_; }

    // At most 10 ms.
    void give(std::span<float> out) noexcept;

    void reset() noexcept;

  private:
    void produce() noexcept;
    bool gathers() const noexcept;
    void discard_late() noexcept;
    void wait() noexcept;
    void rest(std::int64_t samples) noexcept;  // of the pause between two stretches of voice
    bool bridge(const WaitingPacket& next, std::int64_t resume) noexcept;
    void conceal(std::int64_t samples, bool lost) noexcept;
    void keep_state() noexcept;
    void play(const WaitingPacket& next, std::int64_t resume) noexcept;
    std::size_t decode(const WaitingPacket& next, bool repeated) noexcept;
    std::size_t join(std::size_t count, std::int64_t excess) noexcept;
    void append(std::size_t count) noexcept;
    std::int64_t needed() const noexcept;  // the delay that there has to be
    void stretch(std::int64_t delay) noexcept;
    void drop_excess() noexcept;
    VoiceDecoder& decoder_of(const WaitingPacket& packet) const noexcept;

    Config config_;
    PacketIntake* intake_;
    PacketSlots* slots_;
    const DecoderBank* decoders_;
    ReceiverStats* stats_;
    std::size_t step_;
    Splice splice_;
    TimeStretch stretch_;
    Concealer concealer_;
    SampleLine line_;
    std::vector<float> decoded_, tail_;
    VoiceDecoder* decoder_ = nullptr;  // of the last packet
    std::int64_t produced_ = 0;        // samples, ever
    std::int64_t position_ = 0;        // in the voice: the end of what was decoded or given up
    std::size_t fresh_ = 0;            // samples decoded without a gap that were not stretched yet
    std::size_t packet_ = 0;           // samples of the last packet
    std::int64_t waited_ = 0;          // samples concealed since, while the position stood
    std::int64_t last_sequence_ = 0;
    bool begun_ = false;
    bool pausing_ = true;     // the delay may be set anew
    bool silent_ = false;     // the sender has said that it falls silent
    bool saved_ = false;      // the decoder's state before the concealment
    bool joins_ = false;      // what comes next fades in over what was concealed
    bool misplaced_ = false;  // what comes next does not go on from what was concealed
    ReceiverState state_ = ReceiverState::silence;
};

}  // namespace spike
