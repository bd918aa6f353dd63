#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "media/noise_decoder.hpp"
#include "tests/voice_call.hpp"

using namespace spike;
using namespace spike::tests;

namespace {

const VoiceEncoder::Settings with_fec{.bitrate_bps = 32000, .fec = true, .expected_loss = 0.2};

Network losing(double share, unsigned seed) {
    return [share, random = std::mt19937(seed)](std::size_t) mutable -> std::optional<double> {
        const double drawn = static_cast<double>(random()) / 4294967296.0;
        return drawn < share ? std::nullopt : std::optional(0.0);
    };
}

double loudest(std::span<const float> samples) {
    double peak = 0.0;
    for (const float sample : samples) peak = std::max(peak, std::abs(static_cast<double>(sample)));
    return peak;
}

}  // namespace

TEST_CASE("there is silence before the first packet") {
    VoiceReceiver receiver({});
    std::vector<float> out(777, 1.0f);
    receiver.pull(out);
    CHECK(loudest(out) == 0.0);
    CHECK(receiver.heard().state == ReceiverState::silence);
    CHECK_FALSE(receiver.heard().begun);
}

TEST_CASE("on a perfect link everything is played, and as soon as it comes") {
    Call call;
    call.run(encoded(spoken(10.0), with_fec), perfect(), 9.9);
    CHECK(call.stats().packets_lost == 0);
    CHECK(call.stats().concealed_samples == 0);
    CHECK(call.stats().delay_ms <= 5.0);
    CHECK(call.receiver.heard().state == ReceiverState::normal);
}

TEST_CASE("the voice is the one that was sent") {
    const auto payloads = encoded(spoken(8.0), with_fec);
    Call call;
    call.run(payloads, perfect(), 8.0);
    OpusVoiceDecoder decoder(48000);
    std::vector<float> decoded(payloads.size() * packet_samples);
    for (std::size_t n = 0; n < payloads.size(); ++n)
        decoder.decode(payloads[n], std::span(decoded).subspan(n * packet_samples, packet_samples));
    const auto part = std::span(call.heard).subspan(7 * 48000, 9600);
    const auto found = find(part, std::span(decoded).subspan(7 * 48000 - 4800, 9600 + 4800));
    CHECK(found.likeness > 0.999);
    CHECK(100.0 - static_cast<double>(found.at) / 48.0 < 20.0 + 10.0);  // the packet, the block that is pulled
}

TEST_CASE("blocks of any size give the same voice") {
    const auto payloads = encoded(spoken(3.0), with_fec);
    for (const std::size_t block : {37u, 441u, 1024u, 4800u}) {
        Call call;
        call.block = block;
        call.run(payloads, perfect(), 2.9);
        CHECK(call.stats().packets_received > 135);
        CHECK(loudest(std::span(call.heard).last(20000)) > 0.05);
    }
}

TEST_CASE("the same packets give the same samples") {
    const auto payloads = encoded(spoken(4.0), with_fec);
    Call first, second;
    first.run(payloads, losing(0.2, 7), 4.0);
    second.run(payloads, losing(0.2, 7), 4.0);
    CHECK(first.heard == second.heard);
}

TEST_CASE("a lost packet is played from the next one's error correction, at the delay of one packet") {
    Call call;
    call.run(encoded(spoken(20.0), with_fec), losing(0.1, 3), 19.9);
    const auto stats = call.stats();
    CHECK(stats.packets_lost > 60);
    CHECK(stats.fec_recovered > stats.packets_lost / 2);  // most of them have one
    CHECK(stats.delay_ms <= 25.0);
}

TEST_CASE("after a stretch of loss the delay goes back") {
    Call call;
    auto lossy = losing(0.2, 3);
    call.run(
        encoded(spoken(14.0), with_fec),
        [&](std::size_t n) { return n > 200 && n < 300 ? lossy(n) : std::optional(0.0); }, 13.9);
    CHECK(call.stats().delay_ms <= 15.0);
}

TEST_CASE("after a burst that was held up the delay is back within three seconds") {
    Call call;
    double after_ms = 0.0;
    call.after_pull = [&](double now) {
        if (now > 8300.0 && after_ms == 0.0) after_ms = call.stats().delay_ms;
    };
    // Nothing comes for 300 ms, then all of it.
    call.run(
        encoded(spoken(10.0), with_fec),
        [](std::size_t n) {
            return n >= 250 && n < 265 ? std::optional(300.0 - 20.0 * static_cast<double>(n - 250)) : 0.0;
        },
        9.9);
    CHECK(call.stats().packets_late == 0);
    CHECK(after_ms <= 30.0);
    CHECK(call.stats().delay_ms <= 20.0);
}

TEST_CASE("a loudspeaker that stood still is not heard late for long") {
    const auto payloads = encoded(spoken(14.0), with_fec);
    VoiceReceiver receiver({});
    std::vector<float> out(960);
    for (std::size_t n = 0; n < payloads.size(); ++n) {
        receiver.push({payloads[n], static_cast<std::uint16_t>(n), static_cast<std::uint32_t>(packet_samples * n),
                       packet_ms * static_cast<double>(n)});
        if (n < 300 || n >= 400) receiver.pull(out);
        if (n == 402) CHECK(receiver.heard().stats.delay_ms > 400.0);
    }
    CHECK(receiver.heard().stats.delay_ms < 40.0);
    CHECK(receiver.heard().stats.concealed_samples == 0);
}

TEST_CASE("jitter is waited for, and nothing is concealed once it is known") {
    Call call;
    std::mt19937 random(5);
    std::int64_t concealed = 0;
    call.after_pull = [&](double now) {
        if (now < 3000.0) concealed = call.stats().concealed_samples;
    };
    call.run(encoded(spoken(20.0), with_fec), [&](std::size_t) { return static_cast<double>(random() % 100); }, 19.9);
    CHECK(call.stats().concealed_samples - concealed < 17 * 48000 / 100);
    CHECK(call.stats().delay_ms < 125.0);
}

TEST_CASE("packets in any order, and twice, are played once") {
    const auto payloads = encoded(spoken(4.0), with_fec);
    Call call;
    std::vector<float> out(960);
    for (std::size_t n = 0; n + 1 < payloads.size(); n += 2) {
        for (const std::size_t packet : {n + 1, n, n + 1})
            call.receiver.push({payloads[packet], static_cast<std::uint16_t>(packet),
                                static_cast<std::uint32_t>(packet_samples * packet), 20.0 * static_cast<double>(n)});
        call.receiver.pull(out);
        call.receiver.pull(out);
    }
    const auto stats = call.stats();
    CHECK(stats.packets_duplicate == static_cast<std::int64_t>(payloads.size() / 2));
    CHECK(stats.packets_lost == 0);
    CHECK(stats.packets_late == 0);
    CHECK(stats.concealed_samples == 0);
}

TEST_CASE("a sender that begins anew is followed") {
    const auto payloads = encoded(spoken(4.0), with_fec);
    Call call;
    call.run(payloads, perfect(), 4.0);
    call.first_sequence = 7;
    call.first_timestamp = 123456789;
    call.heard.clear();
    call.run(payloads, perfect(), 4.0);
    CHECK(call.stats().packets_received == 2 * 199);
    CHECK(loudest(std::span(call.heard).subspan(4800, 48000)) > 0.05);
    CHECK(call.receiver.heard().playout_timestamp - 123456789 < 4 * 48000);
}

TEST_CASE("one packet of another sender changes nothing") {
    const auto payloads = encoded(spoken(2.0), with_fec);
    Call call;
    call.run(payloads, perfect(), 1.0);
    call.receiver.push({payloads[3], 9, 99, 0.0, 77});
    std::vector<float> out(480);
    call.receiver.pull(out);
    const auto heard = call.receiver.heard();
    CHECK(heard.playout_timestamp >= 0xfffff000);
    CHECK(heard.stats.packets_received < 51);
}

TEST_CASE("a sender that falls silent leaves no loss behind") {
    const auto voice = spoken(1.0);
    std::vector<float> pausing(6 * 48000);
    std::ranges::copy(voice, pausing.begin());
    std::ranges::copy(voice, pausing.begin() + 5 * 48000);
    auto payloads = encoded(pausing, {.bitrate_bps = 24000, .dtx = true});
    std::vector<bool> sent(payloads.size());
    for (std::size_t n = 0; n < payloads.size(); ++n)
        sent[n] = payloads[n].size() > 2 || (n > 0 && payloads[n - 1].size() > 2);
    REQUIRE(std::ranges::count(sent, true) < 200);
    VoiceReceiver receiver({});
    std::vector<float> out(960), heard;
    std::uint16_t sequence = 0;
    for (std::size_t n = 0; n < payloads.size(); ++n) {
        if (sent[n])
            receiver.push({payloads[n], sequence++, static_cast<std::uint32_t>(packet_samples * n),
                           20.0 * static_cast<double>(n)});
        receiver.pull(out);
        heard.insert(heard.end(), out.begin(), out.end());
    }
    CHECK(receiver.heard().stats.concealment_events == 0);
    CHECK(receiver.heard().stats.concealed_samples == 0);
    CHECK(loudest(std::span(heard).last(24000)) > 0.05);
    CHECK(receiver.heard().stats.delay_ms < 23.0);
}

TEST_CASE("a clock that drifts is followed without a gap") {
    for (const double speed : {1.0003, 0.9997}) {
        Call call;
        call.sender_speed = speed;
        double most_ms = 0.0;
        call.after_pull = [&](double now) {
            if (now > 10000.0) most_ms = std::max(most_ms, call.stats().delay_ms);
        };
        call.run(encoded(spoken(60.0), with_fec), perfect(), 59.9);
        CHECK(call.stats().concealed_samples < 48000 / 20);
        CHECK(most_ms < 20.0);
    }
}

TEST_CASE("a long gap fades to the background and the voice comes back") {
    Call call;
    call.run(
        encoded(spoken(6.0), with_fec),
        [](std::size_t n) { return n > 100 && n < 200 ? std::nullopt : std::optional(0.0); }, 6.0);
    const auto gap = std::span(call.heard).subspan(3 * 48000, 24000);
    CHECK(loudest(gap) < 0.02);
    CHECK(loudest(std::span(call.heard).last(48000)) > 0.05);
    CHECK(call.stats().concealment_events == 1);
    CHECK(call.stats().silent_concealed_samples > 48000);
}

TEST_CASE("repetitions of RFC 2198 are played for packets that are lost, and the packet itself is preferred") {
    const auto payloads = encoded(spoken(6.0), {.bitrate_bps = 32000});
    VoiceReceiver receiver({});
    std::vector<float> out(960);
    std::int64_t lost = 0;
    for (std::size_t n = 1; n < payloads.size(); ++n) {
        const Payload &before = payloads[n - 1], &now = payloads[n];
        REQUIRE(before.size() < 1024);
        Payload red{0x80 | 111, static_cast<std::uint8_t>(packet_samples >> 6),
                    static_cast<std::uint8_t>(((packet_samples & 0x3f) << 2) | (before.size() >> 8)),
                    static_cast<std::uint8_t>(before.size()), 111};
        red.insert(red.end(), before.begin(), before.end());
        red.insert(red.end(), now.begin(), now.end());
        if (n % 5 == 0)
            ++lost;
        else
            receiver.push_redundant({red, static_cast<std::uint16_t>(n), static_cast<std::uint32_t>(packet_samples * n),
                                     20.0 * static_cast<double>(n)});
        receiver.pull(out);
    }
    const auto stats = receiver.heard().stats;
    CHECK(stats.red_recovered >= lost - 3);
    CHECK(stats.packets_lost >= lost - 1);
    CHECK(stats.concealed_samples < 5 * 960);
    CHECK(stats.packets_discarded == 0);
}

TEST_CASE("telephony's codecs are decoded and may change in the call") {
    VoiceReceiver receiver({});
    std::vector<float> out(960), heard;
    const auto tone = [](std::size_t n) { return 0.25 * std::sin(0.3 * static_cast<double>(n)); };
    for (std::size_t packet = 0; packet < 150; ++packet) {
        const bool l16 = packet >= 100;
        Payload payload;
        for (std::size_t n = packet * 160; n < (packet + 1) * 160; ++n) {
            const auto sample = static_cast<std::int16_t>(32767.0 * tone(n));
            if (l16) {
                payload.push_back(static_cast<std::uint8_t>(sample >> 8));
                payload.push_back(static_cast<std::uint8_t>(sample));
            } else {  // G.711 mu-law, by its definition
                const int magnitude = std::min(std::abs(static_cast<int>(sample)), 32635) + 132;
                int exponent = 7;
                while (exponent > 0 && (magnitude & (0x80 << exponent)) == 0) --exponent;
                payload.push_back(static_cast<std::uint8_t>(
                    ~((sample < 0 ? 0x80 : 0) | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f))));
            }
        }
        receiver.push({payload,
                       static_cast<std::uint16_t>(packet),
                       static_cast<std::uint32_t>(160 * packet),
                       0.0,
                       0,
                       {l16 ? VoiceCodec::l16 : VoiceCodec::pcmu, 8000}});
        receiver.pull(out);
        heard.insert(heard.end(), out.begin(), out.end());
    }
    std::vector<float> expected(9600);
    for (std::size_t n = 0; n < expected.size(); ++n)
        expected[n] = static_cast<float>(0.25 * std::sin(0.05 * static_cast<double>(n)));
    for (const std::size_t at : {50u, 130u})
        CHECK(find(expected, std::span(heard).subspan(at * 960, expected.size() + 200)).likeness > 0.995);
    CHECK(receiver.heard().stats.decode_errors == 0);
    CHECK(receiver.heard().stats.concealed_samples < 960);
}

TEST_CASE("what is out of range is refused") {
    CHECK_THROWS_AS(VoiceReceiver({.sample_rate_hz = 7000}), std::invalid_argument);
    CHECK_THROWS_AS(VoiceReceiver({.sample_rate_hz = 48001}), std::invalid_argument);
    CHECK_THROWS_AS(VoiceReceiver({.min_delay_ms = 10, .max_delay_ms = 5}), std::invalid_argument);
    VoiceReceiver receiver({});
    const Payload payload(10);
    CHECK_THROWS_AS(receiver.push({payload, 0, 0, 0.0, 0, {VoiceCodec::opus, 8000}}), std::invalid_argument);
    CHECK_THROWS_AS(receiver.push({payload, 0, 0, 0.0, 0, {VoiceCodec::l16, 48000, 3}}), std::invalid_argument);
}

TEST_CASE("no packet does harm, whatever it holds") {
    std::mt19937 random(11);
    const auto below = [&](std::uint32_t end) { return static_cast<std::uint32_t>(random() % end); };
    const auto payloads = encoded(spoken(2.0), with_fec);
    for (int trial = 0; trial < 60; ++trial) {
        VoiceReceiver receiver({.sample_rate_hz = std::array{8000, 16000, 44100, 48000}[below(4)]});
        std::uint16_t sequence = 0;
        std::uint32_t timestamp = 0;
        for (int step = 0; step < 200; ++step) {
            for (std::uint32_t left = below(4); left > 0; --left) {
                ++sequence;
                timestamp += 960;
                Payload payload = payloads[below(static_cast<std::uint32_t>(payloads.size()))];
                VoicePacket packet{{}, sequence, timestamp, static_cast<double>(random()), 0};
                const std::uint32_t kind = below(12);
                if (kind == 0) payload.assign(below(2000), 0);
                if (kind <= 1)
                    for (auto& byte : payload) byte = static_cast<std::uint8_t>(random());
                if (kind == 2) payload.resize(below(static_cast<std::uint32_t>(payload.size())));
                if (kind == 3) packet.timestamp = timestamp = static_cast<std::uint32_t>(random());
                if (kind == 4) packet.sequence_number = sequence = static_cast<std::uint16_t>(random());
                if (kind == 5) timestamp += below(200000) - 100000;
                if (kind == 6)
                    packet.format = {static_cast<VoiceCodec>(1 + below(3)), 8000, 1 + static_cast<int>(below(2))};
                if (kind == 7) packet.ssrc = below(3);
                if (kind == 8) payload[0] = static_cast<std::uint8_t>(0x80 | random());
                if (kind == 9) packet.arrival_ms = NAN;
                packet.payload = payload;
                kind >= 8 ? receiver.push_redundant(packet) : receiver.push(packet);
            }
            if (below(50) == 0) receiver.reset();
            std::vector<float> out(below(3000));
            receiver.pull(out);
            CHECK(loudest(out) <= 2.0);
        }
    }
}

TEST_CASE("noise stays within bounds however often it is described anew") {
    std::mt19937 random(5);
    NoiseDecoder decoder;
    std::vector<std::uint8_t> payload(13);
    std::vector<float> out(10);
    for (int n = 0; n < 5000; ++n) {
        for (auto& byte : payload) byte = static_cast<std::uint8_t>(random());
        payload[0] = 0;
        decoder.describe(payload);
        decoder.fill(out);
        for (const float sample : out) REQUIRE(std::isfinite(sample));
        REQUIRE(loudest(out) <= 1.0);
    }
}

TEST_CASE("one thread pushes while another pulls") {
    const auto payloads = encoded(spoken(2.0), with_fec);
    VoiceReceiver receiver({});
    std::atomic<bool> done{false};
    std::thread network([&] {
        for (std::size_t n = 0; n < 50 * payloads.size(); ++n) {
            receiver.push({payloads[n % payloads.size()], static_cast<std::uint16_t>(n),
                           static_cast<std::uint32_t>(packet_samples * n), 0.0});
            if (n % 500 == 499) receiver.reset();
            if (n % 16 == 0) std::this_thread::yield();
        }
        done = true;
    });
    std::vector<float> out(480);
    while (!done) receiver.pull(out);
    network.join();
    receiver.pull(out);
    CHECK(receiver.heard().stats.packets_received <= 500);
}

TEST_CASE("what is held back plays so much later, and sooner again without that") {
    Call call;
    double before = 0.0, held = 0.0;
    call.after_pull = [&](double now_ms) {
        if (now_ms < 4000.0)
            before = call.stats().delay_ms;
        else if (now_ms < 12000.0)
            held = call.stats().delay_ms;
        call.receiver.set_min_delay_ms(now_ms >= 4000.0 && now_ms < 12000.0 ? 80.0 : 0.0);
    };
    call.run(encoded(spoken(20.0), with_fec), perfect(), 19.9);
    CHECK(before < 25.0);
    CHECK(held == doctest::Approx(80.0).epsilon(0.15));
    CHECK(call.stats().delay_ms < 25.0);
    CHECK(call.stats().concealed_samples == 0);
    CHECK_THROWS_AS(call.receiver.set_min_delay_ms(-1.0), std::invalid_argument);
    CHECK_THROWS_AS(call.receiver.set_min_delay_ms(3000.0), std::invalid_argument);
}

TEST_CASE("what plays now is told by its timestamp, and nothing is told of what was not sent") {
    Call call;
    CHECK_FALSE(call.receiver.playing_timestamp().has_value());
    bool told = false;
    call.after_pull = [&](double now_ms) {
        const auto playing = call.receiver.playing_timestamp();
        if (now_ms > 1000.0 && now_ms < 1900.0) {
            REQUIRE(playing);
            const auto next = static_cast<double>(call.receiver.heard().playout_timestamp);
            CHECK(*playing <= next);
            CHECK(*playing >= next - static_cast<double>(call.block));
        }
        told = playing.has_value();
    };
    call.run(encoded(spoken(2.0), with_fec), perfect(), 3.0);
    CHECK_FALSE(told);
}
