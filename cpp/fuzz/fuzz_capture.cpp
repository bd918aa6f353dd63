// A microphone and a far end of any values, then silence: what leaves is always a number, and soon silence again.
#include <array>
#include <vector>

#include "fuzz/fuzzed_bytes.hpp"
#include "pipeline/capture_pipeline.hpp"

using namespace spike;
using namespace spike::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr int rates_hz[] = {8000, 16000, 44100, 48000};
    FuzzedBytes bytes(data, size);
    CapturePipeline::Config config;
    config.sample_rate_hz = bytes.one_of(rates_hz);
    config.far_channels = bytes.between(1, 2);
    config.noise_suppression = bytes.number<std::uint8_t>() % 2;
    config.gain_control = bytes.number<std::uint8_t>() % 2;
    CapturePipeline pipeline(config);
    const std::size_t frame = pipeline.frame_samples();
    std::vector<float> microphone(frame), far(frame * config.far_channels), out(frame);
    for (int step = 0; step < 8 && !bytes.empty(); ++step) {
        // Few bytes make a long sound: a handful of values, repeated.
        std::array<float, 6> values{};
        bytes.fill(values);
        for (std::size_t n = 0; n < frame; ++n) microphone[n] = values[n % 3];
        for (std::size_t n = 0; n < far.size(); ++n) far[n] = values[3 + n % 3];
        for (std::size_t repeats = bytes.between(1, 3); repeats > 0; --repeats) pipeline.process(microphone, far, out);
        require_finite(out);
    }
    std::ranges::fill(microphone, 0.0f);
    std::ranges::fill(far, 0.0f);
    for (int step = 0; step < 3; ++step) pipeline.process(microphone, far, out);
    require_finite(out);
    return 0;
}
