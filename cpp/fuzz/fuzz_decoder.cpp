// Payloads of Opus, G.711, L16 and noise, one after the other, and what is asked of a decoder between them.
#include <vector>

#include "fuzz/fuzzed_bytes.hpp"
#include "media/voice_decoder.hpp"

using namespace spike;
using namespace spike::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr VoiceCodec codecs[] = {VoiceCodec::opus, VoiceCodec::pcmu, VoiceCodec::pcma, VoiceCodec::l16,
                                            VoiceCodec::noise};
    static constexpr int rates_hz[] = {8000, 16000, 24000, 32000, 44100, 48000};
    FuzzedBytes bytes(data, size);
    VoiceFormat format{bytes.one_of(codecs)};
    if (format.codec != VoiceCodec::opus) format.clock_rate_hz = bytes.one_of(rates_hz);
    format.channels = 1 + bytes.number<std::uint8_t>() % 2;
    VoiceDecoder decoder(format, bytes.one_of(rates_hz));
    std::vector<float> out(decoder.longest_output());
    for (int step = 0; step < 50 && !bytes.empty(); ++step) {
        const auto action = bytes.number<std::uint8_t>() % 8;
        const auto payload = bytes.take(bytes.number<std::uint16_t>() % 1500u);
        std::size_t written = 0;
        decoder.duration_ticks(payload);
        decoder.previous_ticks(payload);
        decoder.begins_silence(payload);
        switch (action) {
            case 0: decoder.save(); break;
            case 1: decoder.restore(); break;
            case 2: decoder.reset(); break;
            case 3: written = decoder.decode_previous(payload, out); break;
            case 4:
                if (decoder.conceals()) written = decoder.conceal(std::span(out).first(decoder.least_concealed(1)));
                break;
            default: written = decoder.decode(payload, out);
        }
        require(written <= out.size());
        require_finite(std::span(out).first(written));
    }
    return 0;
}
