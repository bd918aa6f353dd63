// Packets of a voice in any order, of any content, between pulls.
#include <array>

#include "fuzz/fuzzed_bytes.hpp"
#include "media/voice_receiver.hpp"

using namespace spike;
using namespace spike::fuzz;

namespace {

constexpr int rates_hz[] = {8000, 16000, 24000, 32000, 44100, 48000};
constexpr VoiceCodec codecs[] = {VoiceCodec::opus, VoiceCodec::opus, VoiceCodec::pcmu,
                                 VoiceCodec::pcma, VoiceCodec::l16,  VoiceCodec::noise};

VoiceFormat format_of(FuzzedBytes& bytes) {
    VoiceFormat format{bytes.one_of(codecs)};
    if (format.codec != VoiceCodec::opus) format.clock_rate_hz = bytes.one_of(rates_hz);
    format.channels = 1 + bytes.number<std::uint8_t>() % 2;
    return format;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    FuzzedBytes bytes(data, size);
    VoiceReceiver receiver({bytes.one_of(rates_hz), 0.0, static_cast<double>(bytes.between(0, 2000))});
    VoiceFormat format = format_of(bytes);
    std::array<float, 4800> out{};
    VoicePacket packet;
    for (int step = 0; step < 200 && !bytes.empty(); ++step) {
        switch (bytes.number<std::uint8_t>() % 8) {
            case 0: receiver.reset(); break;
            case 1: format = format_of(bytes); break;
            case 2:
                packet.sequence_number = bytes.number<std::uint16_t>();
                packet.timestamp = bytes.number<std::uint32_t>();
                packet.ssrc = bytes.number<std::uint8_t>();
                packet.arrival_ms = bytes.number<double>();
                break;
            case 3:
            case 4: {
                const auto heard = std::span(out).first(bytes.between(0, out.size()));
                receiver.pull(heard);
                require_finite(heard);
                break;
            }
            default: {
                packet.sequence_number =
                    static_cast<std::uint16_t>(packet.sequence_number + bytes.number<std::int8_t>());
                packet.timestamp += 160u * static_cast<std::uint32_t>(bytes.number<std::int8_t>());
                packet.format = format;
                const bool redundant = bytes.number<std::uint8_t>() % 2;
                packet.payload = bytes.take(2 * static_cast<std::size_t>(bytes.number<std::uint8_t>()));
                redundant ? receiver.push_redundant(packet) : receiver.push(packet);
            }
        }
    }
    receiver.pull(out);
    require_finite(out);
    const auto stats = receiver.heard().stats;
    require(stats.packets_lost >= 0 && stats.packets_received >= 0 && stats.packets_late >= 0);
    return 0;
}
