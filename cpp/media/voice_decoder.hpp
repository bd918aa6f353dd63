// Turns the payloads of one voice codec into mono samples at the receiver's rate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dsp/resampler.hpp"
#include "media/noise_decoder.hpp"
#include "media/opus_decoder.hpp"

namespace spike {

enum class VoiceCodec : std::uint8_t { opus, pcmu, pcma, l16, noise };

struct VoiceFormat {
    VoiceCodec codec = VoiceCodec::opus;
    int clock_rate_hz = 48000;  // of RTP's timestamps; Opus always has 48000
    int channels = 1;           // Opus says in each packet how many it has

    bool operator==(const VoiceFormat&) const = default;
};

// Opus (RFC 6716), G.711 mu-law and A-law, L16 (RFC 3551 section 4.5.11), and the noise of who is silent (RFC 3389).
// Several channels become their mean.
class VoiceDecoder {
  public:
    static constexpr int longest_packet_ms = 200;  // that a receiver should take (RFC 3551 section 4.2)

    // Throws std::invalid_argument for a clock rate that is not 8000 to 48000, or channels that are not 1 or 2.
    VoiceDecoder(const VoiceFormat& format, int output_rate_hz);

    const VoiceFormat& format() const noexcept { return format_; }

    // How long a payload lasts, in ticks of the format's clock; 0 where it is none, or lasts more than 200 ms.
    std::size_t duration_ticks(std::span<const std::uint8_t> payload) const noexcept;

    // Room for the longest packet.
    std::size_t longest_output() const noexcept { return longest_; }

    // Each writes to the front of `out`, which has room for the longest packet, and returns how many samples it did, 0
    // where the payload cannot be decoded.
    std::size_t decode(std::span<const std::uint8_t> payload, std::span<float> out) noexcept;
    // What the payload repeats of the packet before it.
    std::size_t decode_previous(std::span<const std::uint8_t> payload, std::span<float> out) noexcept;

    // Ticks that the payload repeats of the packet before it; 0 where it repeats nothing.
    std::size_t previous_ticks(std::span<const std::uint8_t> payload) const noexcept;
    // The sender falls silent with this payload and may send nothing for a while.
    bool begins_silence(std::span<const std::uint8_t> payload) const noexcept;

    bool conceals() const noexcept { return opus_ || noise_; }
    // The fewest samples that it can conceal at a time, at least `samples`, which are at most 10 ms.
    std::size_t least_concealed(std::size_t samples) const noexcept;
    // The next of what may have been lost, so many samples. Only where `conceals()`.
    std::size_t conceal(std::span<float> out) noexcept;

    // Keep the decoder's state, and go back to it.
    void save() noexcept;
    void restore() noexcept;

    void reset() noexcept;

  private:
    std::size_t expand(std::span<const std::uint8_t> payload) noexcept;
    std::size_t describe(NoiseDecoder& noise, std::span<const std::uint8_t> payload) noexcept;
    std::size_t resample(std::size_t count, std::span<float> out) noexcept;

    VoiceFormat format_;
    std::size_t step_, longest_;  // of the output: 10 ms, and the longest packet
    std::optional<OpusVoiceDecoder> opus_;
    std::optional<NoiseDecoder> noise_;
    std::optional<Resampler> resampler_;  // where the codec cannot give the output's rate
    std::vector<float> native_;           // what it then gives
};

}  // namespace spike
