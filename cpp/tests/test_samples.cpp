// Blocks of samples: with the address sanitizer, a sample outside ends the test.
#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "convert/sample_blocks.hpp"

namespace {

constexpr spike::SampleType types[] = {spike::SampleType::int16, spike::SampleType::int32, spike::SampleType::float32};

std::size_t bytes_of(spike::SampleType type) { return type == spike::SampleType::int16 ? 2 : 4; }

// Points the channels of a block into exactly as much memory as it needs.
template <typename Block>
void lay_out(Block& block, std::vector<unsigned char>& memory, bool planar) {
    const std::size_t bytes = bytes_of(block.type);
    memory.assign(block.count * block.channels * bytes, 0);
    block.stride = planar ? 1 : static_cast<std::ptrdiff_t>(block.channels);
    for (std::size_t channel = 0; channel < block.channels; ++channel)
        block.data[channel] = memory.data() + channel * bytes * (planar ? block.count : 1);
}

}  // namespace

TEST_CASE("any block of samples to any other stays inside its memory") {
    std::mt19937 random(12);
    for (int round = 0; round < 2000; ++round) {
        const std::size_t count = random() % 700;
        spike::SamplesIn in{types[random() % 3], count, 1 + random() % 8, 1, {}};
        spike::SamplesOut out{types[random() % 3], count, 1 + random() % 8, 1, {}};
        std::vector<unsigned char> from, to;
        lay_out(in, from, random() % 2 == 0);
        lay_out(out, to, random() % 2 == 0);
        for (auto& byte : from) byte = static_cast<unsigned char>(random());
        const auto seed = random() % 2 ? std::optional<std::uint32_t>(static_cast<std::uint32_t>(round)) : std::nullopt;
        CHECK_NOTHROW(spike::convert_samples(in, out, seed));
    }
}

TEST_CASE("no mix of channels can clip") {
    for (std::size_t from = 1; from <= spike::most_channels; ++from) {
        for (std::size_t to = 1; to <= spike::most_channels; ++to) {
            const auto mix = spike::channel_mix(from, to);
            for (const auto& row : mix.gains) {
                float sum = 0.0f;
                for (const float gain : row) sum += gain;
                CHECK(sum <= 1.0001f);
            }
        }
    }
}
