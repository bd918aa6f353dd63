#include "media/opus_decoder.hpp"

#include <opus.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "convert/samples.hpp"

namespace spike {

OpusVoiceDecoder::OpusVoiceDecoder(int rate_hz) : rate_hz_(rate_hz) {
    state_.resize((static_cast<std::size_t>(opus_decoder_get_size(1)) + 7) / 8);
    if (opus_decoder_init(decoder(), rate_hz_, 1) != OPUS_OK)
        throw std::invalid_argument("Opus cannot be decoded at " + std::to_string(rate_hz) + " Hz");
    saved_ = state_;
}

std::size_t OpusVoiceDecoder::duration(std::span<const std::uint8_t> packet) noexcept {
    if (packet.empty()) return 0;
    const int samples =
        opus_packet_get_nb_samples(packet.data(), static_cast<opus_int32>(packet.size()), clock_rate_hz);
    return samples > 0 ? static_cast<std::size_t>(samples) : 0;
}

std::size_t OpusVoiceDecoder::repeated(std::span<const std::uint8_t> packet) noexcept {
    constexpr std::uint8_t first_celt_only = 0x80;  // of the table of contents, the packet's first byte
    if (packet.empty() || (packet[0] & first_celt_only) != 0) return 0;
    const unsigned char* frames[48];
    opus_int16 sizes[48];
    if (opus_packet_parse(packet.data(), static_cast<opus_int32>(packet.size()), nullptr, frames, sizes, nullptr) <=
            0 ||
        sizes[0] <= 1)
        return 0;
    const int samples = opus_packet_get_samples_per_frame(packet.data(), clock_rate_hz);
    const int silk_frames = std::max(1, samples / 960);
    const int channels = opus_packet_get_nb_channels(packet.data());
    // A flag of voice for each frame of SILK and one of repetition, for each channel; all are single bits.
    for (int channel = 0; channel < channels; ++channel)
        if ((frames[0][0] & (0x80 >> ((channel + 1) * (silk_frames + 1) - 1))) != 0)
            return static_cast<std::size_t>(samples);
    return 0;
}

std::size_t OpusVoiceDecoder::run(std::span<const std::uint8_t> packet, std::span<float> out, bool repeated) noexcept {
    const int count =
        opus_decode_float(decoder(), packet.empty() ? nullptr : packet.data(), static_cast<opus_int32>(packet.size()),
                          out.data(), static_cast<int>(out.size()), repeated ? 1 : 0);
    if (count <= 0) return 0;
    // What is no packet of Opus may decode to anything.
    for (float& sample : out.first(static_cast<std::size_t>(count))) sample = std::clamp(to_float(sample), -1.0f, 1.0f);
    return static_cast<std::size_t>(count);
}

std::size_t OpusVoiceDecoder::decode(std::span<const std::uint8_t> packet, std::span<float> out) noexcept {
    return packet.empty() ? 0 : run(packet, out, false);
}

std::size_t OpusVoiceDecoder::decode_repeated(std::span<const std::uint8_t> packet, std::span<float> out) noexcept {
    const std::size_t samples = repeated(packet) * static_cast<std::size_t>(rate_hz_) / clock_rate_hz;
    return samples == 0 || samples > out.size() ? 0 : run(packet, out.first(samples), true);
}

std::size_t OpusVoiceDecoder::conceal(std::span<float> out) noexcept { return run({}, out, false); }

void OpusVoiceDecoder::reset() noexcept { opus_decoder_init(decoder(), rate_hz_, 1); }

}  // namespace spike
