#include <doctest/doctest.h>
#include <opus.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <stdexcept>
#include <vector>

#include "media/opus_encoder.hpp"

using spike::VoiceEncoder;

namespace {

constexpr std::size_t frame = 960;

// A buzz of 150 Hz whose level moves as syllables do: what Opus takes for speech.
std::vector<float> voice(std::size_t count) {
    std::vector<float> samples(count);
    for (std::size_t n = 0; n < count; ++n) {
        const double t = static_cast<double>(n) / 48000.0;
        double sum = 0.0;
        for (int harmonic = 1; harmonic <= 20; ++harmonic)
            sum += std::sin(2.0 * 3.14159265 * 150.0 * harmonic * t + 0.3 * harmonic * harmonic) / harmonic;
        samples[n] = static_cast<float>(0.15 * sum * (0.6 + 0.4 * std::sin(2.0 * 3.14159265 * 4.0 * t)));
    }
    return samples;
}

using Packet = std::vector<std::uint8_t>;

Packet packet_of(VoiceEncoder& encoder, std::span<const float> samples) {
    Packet packet(VoiceEncoder::most_bytes);
    packet.resize(encoder.encode(samples, packet));
    return packet;
}

std::vector<Packet> packets_of(VoiceEncoder& encoder, std::span<const float> samples) {
    std::vector<Packet> packets;
    for (std::size_t at = 0; at + frame <= samples.size(); at += frame)
        packets.push_back(packet_of(encoder, samples.subspan(at, frame)));
    return packets;
}

struct Decoder {
    std::unique_ptr<OpusDecoder, void (*)(OpusDecoder*)> state{opus_decoder_create(48000, 1, nullptr),
                                                               opus_decoder_destroy};

    std::vector<float> operator()(const Packet& packet, bool fec = false) const {
        std::vector<float> out(frame);
        const int count = opus_decode_float(state.get(), packet.data(), static_cast<opus_int32>(packet.size()),
                                            out.data(), static_cast<int>(frame), fec ? 1 : 0);
        CHECK(count == static_cast<int>(frame));
        return out;
    }
};

double power(std::span<const float> samples) {
    double sum = 0.0;
    for (const float sample : samples) sum += static_cast<double>(sample) * static_cast<double>(sample);
    return sum / static_cast<double>(samples.size());
}

double bits_per_second(const std::vector<Packet>& packets) {
    std::size_t bytes = 0;
    for (const Packet& packet : packets) bytes += packet.size();
    return 8.0 * 50.0 * static_cast<double>(bytes) / static_cast<double>(packets.size());
}

}  // namespace

TEST_CASE("a voice comes back as it went in") {
    VoiceEncoder encoder({}, {.bitrate_bps = 64000});
    const auto sent = voice(50 * frame);
    const Decoder decode;
    std::vector<float> heard;
    for (const Packet& packet : packets_of(encoder, sent))
        for (const float sample : decode(packet)) heard.push_back(sample);
    double product = 0.0;
    for (std::size_t n = 10 * frame; n < 49 * frame; ++n)
        product += static_cast<double>(heard[n + encoder.latency_samples()]) * static_cast<double>(sent[n]);
    const auto middle = [](const std::vector<float>& samples, std::size_t from) {
        return std::span(samples).subspan(from, 39 * frame);
    };
    const double powers =
        power(middle(sent, 10 * frame)) * power(middle(heard, 10 * frame + encoder.latency_samples()));
    CHECK(product / static_cast<double>(39 * frame) > 0.75 * std::sqrt(powers));
}

TEST_CASE("with error correction each packet of speech carries the one before") {
    VoiceEncoder encoder({}, {.bitrate_bps = 40000, .fec = true, .expected_loss = 0.05});
    const auto sent = voice(60 * frame);
    const auto packets = packets_of(encoder, sent);
    const Decoder complete, repaired;
    std::size_t compared = 0;
    for (std::size_t n = 0; n + 1 < packets.size(); ++n) {
        const auto whole = complete(packets[n]);
        const bool lost = n % 3 == 2;
        const auto heard = lost ? repaired(packets[n + 1], true) : repaired(packets[n]);
        if (!lost || n < 10) continue;
        CHECK(power(heard) > 0.1 * power(whole));
        CHECK(power(heard) < 4.0 * power(whole));
        ++compared;
    }
    CHECK(compared > 10);
}

TEST_CASE("settings change between two frames and the stream goes on") {
    VoiceEncoder encoder({}, {.bitrate_bps = 64000});
    const auto sent = voice(100 * frame);
    const auto first = packets_of(encoder, std::span(sent).first(50 * frame));
    encoder.use({.bitrate_bps = 16000, .complexity = 3});
    const auto second = packets_of(encoder, std::span(sent).last(50 * frame));
    CHECK(bits_per_second(first) == doctest::Approx(64000.0).epsilon(0.3));
    CHECK(bits_per_second(second) == doctest::Approx(16000.0).epsilon(0.3));
    const Decoder decode;
    for (const Packet& packet : first) decode(packet);
    CHECK(power(decode(second[5])) > 1e-3);
}

TEST_CASE("silence with DTX needs next to nothing") {
    VoiceEncoder encoder({}, {.dtx = true});
    const auto packets = packets_of(encoder, std::vector<float>(100 * frame));
    std::size_t empty = 0;
    for (const Packet& packet : packets) empty += packet.size() <= 2;
    CHECK(empty > 60);
}

TEST_CASE("frames of a length or with channels that Opus has") {
    const VoiceEncoder mono({}, {});
    CHECK(mono.takes(120));
    CHECK(mono.takes(480));
    CHECK(mono.takes(2880));
    CHECK(!mono.takes(0));
    CHECK(!mono.takes(441));
    VoiceEncoder stereo({.channels = 2}, {});
    Packet packet(VoiceEncoder::most_bytes);
    CHECK(stereo.encode(std::span<const float>(voice(2 * frame)), packet) > 2);
    CHECK(stereo.encode(std::vector<std::int16_t>(2 * frame), packet) > 0);
    CHECK(stereo.encode(std::vector<std::int16_t>(17), packet) == 0);
}

TEST_CASE("what is out of range is refused") {
    CHECK_THROWS_AS(VoiceEncoder({.sample_rate_hz = 44100}, {}), std::invalid_argument);
    CHECK_THROWS_AS(VoiceEncoder({.channels = 3}, {}), std::invalid_argument);
    VoiceEncoder encoder({}, {});
    CHECK_THROWS_AS(encoder.use({.bitrate_bps = 100}), std::invalid_argument);
    CHECK_THROWS_AS(encoder.use({.expected_loss = 1.5}), std::invalid_argument);
    CHECK_THROWS_AS(encoder.use({.expected_loss = std::nan("")}), std::invalid_argument);
    CHECK_THROWS_AS(encoder.use({.complexity = 11}), std::invalid_argument);
    CHECK(encoder.settings() == VoiceEncoder::Settings{});
}
