#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>
#include <vector>

#include "base/ring.hpp"
#include "media/voice_gate.hpp"

namespace {

constexpr std::size_t block = 480;

// A voice that says 0.5 all the time, as L16 (RFC 3551 section 4.5.11), one packet of 10 ms for each pull.
struct Voice {
    spike::VoiceReceiver receiver{{}};
    std::uint16_t number = 0;

    void push() {
        std::vector<std::uint8_t> payload(2 * block);
        for (std::size_t n = 0; n < payload.size(); n += 2) payload[n] = 0x40;
        spike::VoicePacket packet{payload, number, static_cast<std::uint32_t>(number * block), 10.0 * number, 1, {}};
        packet.format = {spike::VoiceCodec::l16, 48000};
        packet.format.channels = 1;
        receiver.push(packet);
        ++number;
    }
};

std::vector<float> pulled(Voice& voice, spike::VoiceGate& gate, spike::Ring* tee = nullptr) {
    std::vector<float> out(block);
    voice.push();
    gate.pull(out, tee);
    return out;
}

void let_speak(Voice& voice, spike::VoiceGate& gate) {
    for (int n = 0; n < 30; ++n) pulled(voice, gate);
}

float largest_step(std::span<const float> samples) {
    float step = 0.0f;
    for (std::size_t n = 1; n < samples.size(); ++n) step = std::max(step, std::abs(samples[n] - samples[n - 1]));
    return step;
}

}  // namespace

TEST_CASE("an open gate lets a voice through and keeps it") {
    Voice voice;
    spike::VoiceGate gate(voice.receiver, 48000, 40 * block);
    spike::Ring tee(40 * block);
    let_speak(voice, gate);
    gate.played().clear();
    const auto heard = pulled(voice, gate, &tee);
    CHECK(heard.back() == doctest::Approx(0.5f).epsilon(0.01));
    std::vector<float> kept(block), teed(block);
    CHECK(gate.played().pop(kept) == block);
    CHECK(tee.pop(teed) == block);
    CHECK(kept == heard);
    CHECK(teed == heard);
}

TEST_CASE("a held voice fades and comes back without a click, and its time goes on") {
    Voice voice;
    spike::VoiceGate gate(voice.receiver, 48000, 40 * block);
    let_speak(voice, gate);
    gate.hold(true);
    auto heard = pulled(voice, gate);
    CHECK(largest_step(heard) < 0.01f);
    heard = pulled(voice, gate);
    CHECK(*std::max_element(heard.begin(), heard.end()) == 0.0f);
    const auto before = voice.receiver.heard().playout_timestamp;
    for (int n = 0; n < 10; ++n) pulled(voice, gate);
    CHECK(voice.receiver.heard().playout_timestamp == before + 10 * static_cast<std::int64_t>(block));
    gate.hold(false);
    heard = pulled(voice, gate);
    CHECK(largest_step(heard) < 0.01f);
    CHECK(heard.back() == doctest::Approx(0.5f).epsilon(0.01));
}

TEST_CASE("a paused voice waits, fades and goes on where it was") {
    Voice voice;
    spike::VoiceGate gate(voice.receiver, 48000, 40 * block);
    let_speak(voice, gate);
    const auto before = voice.receiver.heard().playout_timestamp;
    gate.pause(true);
    auto heard = pulled(voice, gate);
    CHECK(largest_step(heard) < 0.01f);
    CHECK(heard.back() == 0.0f);
    for (int n = 0; n < 30; ++n) heard = pulled(voice, gate);
    CHECK(*std::max_element(heard.begin(), heard.end()) == 0.0f);
    CHECK(voice.receiver.heard().playout_timestamp == before);
    gate.pause(false);
    heard = pulled(voice, gate);
    CHECK(heard.back() == doctest::Approx(0.5f).epsilon(0.01));
    CHECK(voice.receiver.heard().playout_timestamp <
          before + 4 * static_cast<std::int64_t>(block));  // it hurries a bit
}

TEST_CASE("the volume changes without a click, and what was played has it") {
    Voice voice;
    spike::VoiceGate gate(voice.receiver, 48000, 40 * block);
    let_speak(voice, gate);
    gate.set_volume(0.5f);
    auto heard = pulled(voice, gate);
    CHECK(largest_step(heard) < 0.01f);
    CHECK(heard.back() == doctest::Approx(0.25f).epsilon(0.01));
    for (const float volume : {-0.1f, 1.1f, std::numeric_limits<float>::quiet_NaN()})
        CHECK_THROWS_AS(gate.set_volume(volume), std::invalid_argument);
    CHECK(gate.volume() == 0.5f);
}

TEST_CASE("a flush swallows what has come and no more") {
    Voice voice;
    spike::VoiceGate gate(voice.receiver, 48000, 40 * block);
    let_speak(voice, gate);
    gate.flush();
    CHECK(pulled(voice, gate).back() == 0.0f);
    int silent = 1;
    while (pulled(voice, gate).back() == 0.0f && silent < 100) ++silent;
    CHECK(silent < 15);
}
