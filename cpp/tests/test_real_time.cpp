// No stage may allocate in process(): operator new is replaced and counts.
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/ring.hpp"
#include "convert/pixels.hpp"
#include "convert/sample_blocks.hpp"
#include "dsp/gain_control.hpp"
#include "dsp/noise_suppressor.hpp"
#include "dsp/resampler.hpp"
#include "media/opus_encoder.hpp"
#include "media/speed_up.hpp"
#include "pipeline/capture_pipeline.hpp"
#include "pipeline/framer.hpp"
#include "pipeline/render_pipeline.hpp"
#include "tests/voice_call.hpp"

namespace {

std::atomic<std::size_t> allocations{0};

std::vector<float> tone(std::size_t count, float frequency) {
    std::vector<float> samples(count);
    for (std::size_t n = 0; n < count; ++n) samples[n] = 0.3f * std::sin(frequency * static_cast<float>(n));
    return samples;
}

// Allocations that `work` makes.
template <typename Work>
std::size_t allocations_of(Work&& work) {
    const std::size_t before = allocations.load();
    work();
    return allocations.load() - before;
}

std::shared_ptr<const spike::Weights> weights_of(const std::string& name) {
    std::ifstream file(SPIKE_WEIGHTS "/" + name, std::ios::binary);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
    return std::make_shared<const spike::Weights>(std::as_bytes(std::span(bytes)), name);
}

}  // namespace

void* operator new(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

TEST_CASE("the counter sees an allocation") {
    CHECK(allocations_of([] { std::vector<float> samples(1000); }) > 0);
}

TEST_CASE("the capture pipeline allocates nothing while it runs") {
    for (const int rate_hz : {16000, 44100, 48000}) {
        for (const std::size_t far_channels : {1u, 2u}) {
            spike::CapturePipeline pipeline(
                {.sample_rate_hz = rate_hz, .gain_control = true, .far_channels = far_channels});
            const auto microphone = tone(pipeline.frame_samples(), 0.05f);
            const auto far = tone(pipeline.frame_samples() * far_channels, 0.03f);
            std::vector<float> out(pipeline.frame_samples());
            CHECK(allocations_of([&] {
                      for (int frame = 0; frame < 300; ++frame) pipeline.process(microphone, far, out);
                      pipeline.reset();
                  }) == 0);
        }
    }
}

TEST_CASE("gain control and a framer between two rates allocate nothing while they run") {
    spike::GainControl gain({.sample_rate_hz = 24000});
    spike::Framer framer(22050, 1, 2);
    const auto near = tone(441, 0.05f), far = tone(882, 0.03f);
    std::vector<float> out(441);
    CHECK(allocations_of([&] {
              for (int block = 0; block < 100; ++block)
                  framer.run(near.data(), far.data(), near.size(), out.data(),
                             [&](auto frame, auto, auto made) { gain.process(frame, made); });
              framer.reset();
              gain.reset();
          }) == 0);
}

TEST_CASE("a voice is played faster without an allocation") {
    spike::SpeedUp speed_up(48000, 1.25);
    const auto voice = tone(48000, 0.05f);
    std::vector<float> out(speed_up.most_output(voice.size()));
    CHECK(allocations_of([&] {
              speed_up.process(voice, out);
              speed_up.drain(out);
          }) == 0);
}

TEST_CASE("the capture pipeline with both networks allocates nothing while it runs") {
    const auto noise = weights_of("noise.spkw"), echo = weights_of("echo.spkw");
    for (const int rate_hz : {16000, 44100, 48000}) {
        spike::CapturePipeline pipeline({.sample_rate_hz = rate_hz, .noise_weights = noise, .echo_weights = echo});
        const auto microphone = tone(pipeline.frame_samples(), 0.05f);
        const auto far = tone(pipeline.frame_samples(), 0.03f);
        std::vector<float> out(pipeline.frame_samples());
        CHECK(allocations_of([&] {
                  for (int frame = 0; frame < 300; ++frame) pipeline.process(microphone, far, out);
                  pipeline.reset();
              }) == 0);
    }
}

TEST_CASE("the echo canceller allocates nothing while the path's delay jumps") {
    for (const std::size_t far_channels : {1u, 2u}) {
        spike::EchoCanceller canceller({.sample_rate_hz = 16000, .far_channels = far_channels});
        std::vector<float> far(6 * 16000);
        std::minstd_rand random(1);
        for (float& sample : far) sample = 0.2f * (static_cast<float>(random()) / 1.0737e9f - 1.0f);
        std::vector<float> block(160 * far_channels), microphone(160), out(160);
        const auto echo_from = [&](std::size_t at) {
            return at < 640 ? 0.0f : 0.5f * far[at - (at < 48000 ? 640 : 320)];
        };
        float delay_ms_before = 0.0f;
        CHECK(allocations_of([&] {
                  for (std::size_t at = 0; at < far.size(); at += 160) {
                      if (at == 48000) delay_ms_before = canceller.stats().delay_ms;
                      for (std::size_t n = 0; n < block.size(); ++n) block[n] = far[at + n % 160];
                      for (std::size_t n = 0; n < 160; ++n) microphone[n] = echo_from(at + n);
                      canceller.process(microphone, block, out);
                  }
              }) == 0);
        CHECK(delay_ms_before == doctest::Approx(40.0f).epsilon(0.02));
        CHECK(canceller.stats().delay_ms == doctest::Approx(20.0f).epsilon(0.02));
    }
}

TEST_CASE("the neural noise suppressor allocates nothing while it runs") {
    const auto weights = weights_of("noise.spkw");
    for (const std::size_t streams : {1u, 6u}) {
        spike::NoiseSuppressor suppressor({.weights = weights, .streams = streams});
        auto samples = tone(streams * suppressor.frame_samples(), 0.05f);
        CHECK(allocations_of([&] {
                  for (int frame = 0; frame < 100; ++frame) suppressor.process(samples, samples);
                  suppressor.set_attenuation_db(20.0f);
                  suppressor.process(samples, samples);
                  suppressor.reset();
              }) == 0);
    }
}

TEST_CASE("the render pipeline allocates nothing while it runs") {
    spike::RenderPipeline pipeline(48000);
    auto samples = tone(960, 0.05f);
    CHECK(allocations_of([&] {
              pipeline.set_gain(0.5f);
              pipeline.process(samples);
          }) == 0);
}

TEST_CASE("the resampler allocates nothing while it runs") {
    for (const std::size_t channels : {1u, 2u}) {
        spike::Resampler resampler({.from_hz = 44100, .to_hz = 48000, .channels = channels});
        const auto in = tone(441 * channels, 0.05f);
        std::vector<float> out(600 * channels);
        const auto distance = static_cast<std::ptrdiff_t>(channels);
        const auto push = [&](bool last) {
            resampler.process<float>({in.data(), distance, 1}, 441, {out.data(), distance, 1}, last);
        };
        CHECK(allocations_of([&] {
                  for (int pushes = 0; pushes < 100; ++pushes) push(false);
                  push(true);
              }) == 0);
    }
}

TEST_CASE("the resampler with a ratio that varies allocates nothing while it runs") {
    spike::Resampler resampler({.from_hz = 48000, .to_hz = 48000});
    resampler.set_ratio(1.001);
    const auto in = tone(480, 0.05f);
    std::vector<float> out(600);
    CHECK(allocations_of([&] {
              resampler.set_ratio(1.002);
              resampler.process<float>({in.data()}, 480, {out.data()});
          }) == 0);
}

TEST_CASE("pictures allocate nothing once their sizes and formats are known") {
    using enum spike::PixelFormat;
    const auto formats = {i420, nv12, yuyv, rgb24, argb, gray8};
    spike::OwnedPicture in, out;
    const auto convert = [&](spike::PixelFormat from, spike::PixelFormat to) {
        in.reshape(from, 66, 50);
        for (const auto& [width, height] : {std::pair{66u, 50u}, {50u, 66u}, {33u, 90u}}) {
            out.reshape(to, width, height);
            spike::convert_picture(in.in(), out.out(), {.orientation = {width == 66 ? 0 : 90, width == 33}});
        }
    };
    for (const auto from : formats)
        for (const auto to : formats) {
            for (int warm = 0; warm < 2; ++warm) convert(from, to);  // sizes that are new, then all of them
            CHECK(allocations_of([&] { convert(from, to); }) == 0);
        }
}

TEST_CASE("the voice receiver allocates nothing after the first packet of a format") {
    using namespace spike::tests;
    const auto payloads = encoded(spoken(3.0), {.bitrate_bps = 32000, .fec = true, .expected_loss = 0.2});
    const std::vector<std::uint8_t> telephone(160, 0x55);
    const std::vector<std::uint8_t> redundant{0x80, 0x0f, 0x00, 0x01, 0x00, 0x08, 0x08};
    spike::VoiceReceiver receiver({});
    const spike::VoiceFormat pcmu{spike::VoiceCodec::pcmu, 8000};
    receiver.push({payloads[0], 0, 0, 0.0});
    receiver.push({telephone, 0, 0, 0.0, 0, pcmu});
    const spike::VoiceFormat noise{spike::VoiceCodec::noise, 8000};
    const std::vector<std::uint8_t> background{50, 100, 150}, nothing;
    receiver.push({background, 0, 0, 0.0, 0, noise});
    std::vector<float> out(480);
    CHECK(allocations_of([&] {
              for (std::size_t n = 1; n < payloads.size(); ++n) {
                  const auto number = static_cast<std::uint16_t>(n);
                  const auto timestamp = static_cast<std::uint32_t>(960 * n);
                  if (n % 4 != 0) receiver.push({payloads[n], number, timestamp, 20.0 * static_cast<double>(n)});
                  if (n % 7 == 0) receiver.push_redundant({redundant, number, timestamp, 0.0});
                  if (n > 100) receiver.push({telephone, number, static_cast<std::uint32_t>(160 * n), 0.0, 5, pcmu});
                  if (n > 120 && n % 5 == 0)
                      receiver.push({background, number, static_cast<std::uint32_t>(160 * n), 0.0, 5, noise});
                  if (n % 11 == 0) receiver.push({nothing, number, timestamp, 0.0});
                  for (int pulls = n % 40 == 0 ? 6 : 2; pulls > 0; --pulls) receiver.pull(out);
              }
              receiver.reset();
              receiver.pull(out);
          }) == 0);
}

TEST_CASE("samples are converted without an allocation") {
    std::vector<float> from(2 * 960), to(6 * 960);
    const spike::SamplesIn in{spike::SampleType::float32, 960, 2, 2, {from.data(), from.data() + 1}};
    spike::SamplesOut out{spike::SampleType::int16, 960, 6, 1, {}};
    for (std::size_t channel = 0; channel < 6; ++channel) out.data[channel] = to.data() + 960 * channel;
    CHECK(allocations_of([&] { spike::convert_samples(in, out, 7u); }) == 0);
}

TEST_CASE("a ring allocates nothing after its construction") {
    spike::Ring ring(4800);
    std::vector<float> block(480);
    CHECK(allocations_of([&] {
              ring.push(block);
              ring.pop(block);
          }) == 0);
}

TEST_CASE("encoding a voice takes no memory, nor does a change of its settings") {
    spike::VoiceEncoder encoder({}, {.fec = true, .expected_loss = 0.1});
    const auto samples = tone(960, 0.02f);
    std::array<std::uint8_t, spike::VoiceEncoder::most_bytes> packet;
    CHECK(allocations_of([&] {
              for (int round = 0; round < 20; ++round) {
                  encoder.use(
                      {.bitrate_bps = 16000 + 1000 * round, .fec = round % 2 == 0, .expected_loss = 0.01 * round});
                  encoder.encode(samples, packet);
              }
          }) == 0);
}
