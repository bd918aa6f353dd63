// What a receiver of voice counts.
#pragma once

#include <cstdint>

namespace spike {

// The names are those of WebRTC's statistics (W3C, "Identifiers for WebRTC's Statistics API") where those have one.
struct ReceiverStats {
    std::int64_t packets_received = 0;   // each once, late ones too
    std::int64_t packets_late = 0;       // came when their time was over
    std::int64_t packets_duplicate = 0;  // had come before
    std::int64_t packets_lost = 0;       // have not come yet, by their sequence numbers (RFC 3550 section 6.4.1)
    std::int64_t packets_discarded = 0;  // given up: no room, or the sound was too far behind
    std::int64_t fec_recovered = 0;      // packets played from the next packet's in-band error correction
    std::int64_t red_recovered = 0;      // packets played from a repetition
    std::int64_t concealed_samples = 0;
    std::int64_t silent_concealed_samples = 0;  // of them, only the background's noise
    std::int64_t concealment_events = 0;
    std::int64_t inserted_samples = 0;  // to slow down
    std::int64_t removed_samples = 0;   // to hurry up
    std::int64_t decode_errors = 0;     // payloads that the codec refused
    double delay_ms = 0.0;              // from the arrival of a packet that is not held up to its first sample
    double target_delay_ms = 0.0;
    double jitter_ms = 0.0;  // RFC 3550 section 6.4.1
};

enum class ReceiverState : std::uint8_t { silence, normal, fec, concealed, comfort_noise, accelerated, expanded };

// Neither concealment nor noise.
constexpr bool was_sent(ReceiverState state) noexcept {
    return state != ReceiverState::silence && state != ReceiverState::concealed &&
           state != ReceiverState::comfort_noise;
}

}  // namespace spike
