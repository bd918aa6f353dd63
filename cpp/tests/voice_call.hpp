// A sender, a network and a clock that plays, for tests of the voice receiver.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numbers>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "media/opus_encoder.hpp"
#include "media/voice_receiver.hpp"

namespace spike::tests {

using Payload = std::vector<std::uint8_t>;
constexpr std::size_t packet_samples = 960;
constexpr double packet_ms = 20.0;

// A buzz whose pitch and level move as those of speech do.
inline std::vector<float> spoken(double seconds) {
    std::vector<float> samples(static_cast<std::size_t>(seconds * 48000.0));
    double phase = 0.0;
    for (std::size_t n = 0; n < samples.size(); ++n) {
        const double t = static_cast<double>(n) / 48000.0;
        phase += 2.0 * std::numbers::pi * (130.0 + 25.0 * std::sin(2.6 * t)) / 48000.0;
        double sum = 0.0;
        for (int harmonic = 1; harmonic <= 20; ++harmonic)
            sum += std::sin(phase * harmonic + 0.3 * harmonic * harmonic) / harmonic;
        samples[n] = static_cast<float>(0.12 * sum * (0.6 + 0.4 * std::sin(2.0 * std::numbers::pi * 4.0 * t)));
    }
    return samples;
}

inline std::vector<Payload> encoded(std::span<const float> samples, const VoiceEncoder::Settings& settings) {
    VoiceEncoder encoder({}, settings);
    std::vector<Payload> payloads;
    for (std::size_t at = 0; at + packet_samples <= samples.size(); at += packet_samples) {
        Payload payload(VoiceEncoder::most_bytes);
        payload.resize(encoder.encode(samples.subspan(at, packet_samples), payload));
        payloads.push_back(payload);
    }
    return payloads;
}

// When a packet arrives, in ms after it was sent; nothing where it is lost.
using Network = std::function<std::optional<double>(std::size_t packet)>;

inline Network perfect() {
    return [](std::size_t) { return 0.0; };
}

struct Call {
    VoiceReceiver receiver{VoiceReceiver::Config{}};
    std::size_t block = 480;
    std::uint16_t first_sequence = 65500;        // wraps
    std::uint32_t first_timestamp = 0xfffff000;  // wraps
    double sender_speed = 1.0;                   // of its clock
    std::vector<float> heard;
    std::function<void(double now_ms)> after_pull = [](double) {};

    // Packets are sent when they are full; pulls come 3 ms after whole blocks of time.
    void run(const std::vector<Payload>& payloads, const Network& network, double seconds) {
        struct Arrival {
            double at;
            std::size_t packet;
        };
        std::vector<Arrival> arrivals;
        for (std::size_t n = 0; n < payloads.size(); ++n)
            if (const auto delay = network(n))
                arrivals.push_back({static_cast<double>(n + 1) * packet_ms / sender_speed + *delay, n});
        std::ranges::sort(arrivals, {}, [](const Arrival& arrival) { return std::pair(arrival.at, arrival.packet); });
        std::vector<float> out(block);
        std::size_t next = 0;
        for (double now = 3.0; now < 1000.0 * seconds; now += static_cast<double>(block) / 48.0) {
            for (; next < arrivals.size() && arrivals[next].at <= now; ++next) {
                const std::size_t n = arrivals[next].packet;
                receiver.push({payloads[n], static_cast<std::uint16_t>(first_sequence + n),
                               static_cast<std::uint32_t>(first_timestamp + packet_samples * n), arrivals[next].at, 1});
            }
            receiver.pull(out);
            heard.insert(heard.end(), out.begin(), out.end());
            after_pull(now);
        }
    }

    ReceiverStats stats() const { return receiver.heard().stats; }
};

// The greatest correlation coefficient of `part` with any piece of `whole`, and where that is.
struct Found {
    double likeness = -1.0;
    std::size_t at = 0;
};

inline Found find(std::span<const float> part, std::span<const float> whole, std::size_t step = 1) {
    Found best;
    double own = 0.0;
    for (const float sample : part) own += static_cast<double>(sample) * sample;
    for (std::size_t at = 0; at + part.size() <= whole.size(); at += step) {
        double product = 0.0, other = 1e-9;
        for (std::size_t n = 0; n < part.size(); ++n) {
            product += static_cast<double>(part[n]) * whole[at + n];
            other += static_cast<double>(whole[at + n]) * whole[at + n];
        }
        const double likeness = product / std::sqrt(own * other + 1e-12);
        if (likeness > best.likeness) best = {likeness, at};
    }
    return best;
}

}  // namespace spike::tests
