// libopus as a decoder of voice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

struct OpusDecoder;

namespace spike {

// Decodes to one channel; libopus mixes down what has two. The state is one block of memory, taken by the constructor:
// libopus allocates nothing while it decodes.
class OpusVoiceDecoder {
  public:
    static constexpr int clock_rate_hz = 48000;

    // `rate_hz` must be one that Opus can give: 8000, 12000, 16000, 24000 or 48000.
    explicit OpusVoiceDecoder(int rate_hz);

    int rate_hz() const noexcept { return rate_hz_; }

    // Samples at 48 kHz that a packet lasts; 0 where it is none (RFC 6716 section 3).
    static std::size_t duration(std::span<const std::uint8_t> packet) noexcept;

    // Samples at 48 kHz that a packet's in-band error correction repeats of the packet before it; 0 where it has none
    // (RFC 6716 section 4.2.4).
    static std::size_t repeated(std::span<const std::uint8_t> packet) noexcept;

    // Each returns the samples written, 0 where the packet is not to be decoded or does not fit.
    std::size_t decode(std::span<const std::uint8_t> packet, std::span<float> out) noexcept;
    std::size_t decode_repeated(std::span<const std::uint8_t> packet, std::span<float> out) noexcept;
    // All of `out`, a multiple of 2.5 ms.
    std::size_t conceal(std::span<float> out) noexcept;

    void save() noexcept { saved_ = state_; }
    void restore() noexcept { state_ = saved_; }
    void reset() noexcept;

  private:
    std::size_t run(std::span<const std::uint8_t> packet, std::span<float> out, bool repeated) noexcept;
    OpusDecoder* decoder() noexcept { return reinterpret_cast<OpusDecoder*>(state_.data()); }

    int rate_hz_;
    // libopus' state refers to itself by offsets only, so that a copy of it is a decoder as well.
    std::vector<std::uint64_t> state_, saved_;
};

}  // namespace spike
