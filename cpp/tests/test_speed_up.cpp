#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <stdexcept>
#include <vector>

#include "media/speed_up.hpp"
#include "tests/voice_call.hpp"

using namespace spike;
using namespace spike::tests;

namespace {

std::vector<float> faster(std::span<const float> voice, double speed, std::size_t block) {
    SpeedUp speed_up(48000, speed);
    std::vector<float> played, out(speed_up.most_output(block));
    for (std::size_t at = 0; at + block <= voice.size(); at += block) {
        const std::size_t made = speed_up.process(voice.subspan(at, block), out);
        played.insert(played.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(made));
    }
    out.resize(speed_up.most_output(0));
    const std::size_t made = speed_up.drain(out);
    played.insert(played.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(made));
    return played;
}

// How strong one frequency is, by Goertzel's correlation.
double strength(std::span<const float> samples, double frequency_hz) {
    double real = 0.0, imaginary = 0.0;
    for (std::size_t n = 0; n < samples.size(); ++n) {
        const double angle = 2.0 * std::numbers::pi * frequency_hz * static_cast<double>(n) / 48000.0;
        real += samples[n] * std::cos(angle);
        imaginary += samples[n] * std::sin(angle);
    }
    return 2.0 * std::hypot(real, imaginary) / static_cast<double>(samples.size());
}

std::vector<float> hum(double frequency_hz, std::size_t count) {
    std::vector<float> samples(count);
    for (std::size_t n = 0; n < count; ++n)
        samples[n] = 0.5f * static_cast<float>(
                                std::sin(2.0 * std::numbers::pi * frequency_hz * static_cast<double>(n) / 48000.0));
    return samples;
}

}  // namespace

TEST_CASE("a voice takes less time by the factor, whatever the size of the blocks") {
    const auto voice = spoken(4.0);
    for (const double speed : {1.1, 1.25, 2.0})
        for (const std::size_t block : {100u, 960u, 4800u}) {
            const double share = static_cast<double>(faster(voice, speed, block).size()) / (4.0 * 48000.0);
            CHECK(share == doctest::Approx(1.0 / speed).epsilon(0.02));
        }
}

TEST_CASE("the pitch stays") {
    for (const double frequency_hz : {80.0, 123.0, 219.0, 440.0}) {
        const auto played = faster(hum(frequency_hz, 96000), 1.25, 960);
        const auto middle = std::span(played).subspan(9600, 48000);
        CHECK(strength(middle, frequency_hz) > 0.45);
        CHECK(strength(middle, 1.25 * frequency_hz) < 0.02);
    }
}

TEST_CASE("at its own speed a voice is the one that came") {
    const auto voice = spoken(1.0);
    const auto played = faster(voice, 1.0, 960);
    const std::size_t late = played.size() - voice.size();
    double furthest = 0.0;
    for (std::size_t n = 480; n < voice.size(); ++n)
        furthest = std::max(furthest, std::abs(static_cast<double>(played[n + late] - voice[n])));
    CHECK(furthest < 1e-6);
}

TEST_CASE("after the rest another voice begins in silence") {
    SpeedUp speed_up(48000, 1.25);
    std::vector<float> out(speed_up.most_output(4800));
    const auto voice = hum(200.0, 4800);
    speed_up.process(voice, out);
    CHECK(speed_up.drain(out) > 0);
    CHECK(speed_up.process(voice, out) > 480);
    CHECK(std::abs(out[0]) < 0.01f);
}

TEST_CASE("a speed or a rate that it cannot have is refused") {
    CHECK_THROWS_AS(SpeedUp(48000, 0.9), std::invalid_argument);
    CHECK_THROWS_AS(SpeedUp(48000, 2.1), std::invalid_argument);
    CHECK_THROWS_AS(SpeedUp(-48000, 1.25), std::invalid_argument);
}
