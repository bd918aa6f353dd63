// Samples of every type, layout, direction and value into every other, in memory that ends where they end.
#include <vector>

#include "convert/sample_blocks.hpp"
#include "fuzz/fuzzed_bytes.hpp"

using namespace spike;
using namespace spike::fuzz;

namespace {

constexpr SampleType types[] = {SampleType::int16, SampleType::int32, SampleType::float32};
constexpr std::size_t most_samples = 300;

std::size_t bytes_of(SampleType type) { return type == SampleType::int16 ? 2 : 4; }

template <typename Void>
struct Held {
    std::vector<std::uint8_t> memory;
    SampleBlock<Void> block;

    Held(FuzzedBytes& bytes, std::size_t count)
        : block{bytes.one_of(types), count, bytes.between(1, most_channels), 1, {}} {
        const std::size_t sample = bytes_of(block.type), channels = block.channels;
        const bool planar = bytes.number<std::uint8_t>() % 2, backwards = bytes.number<std::uint8_t>() % 4 == 0;
        memory.resize(count * channels * sample);
        block.stride = planar ? 1 : static_cast<std::ptrdiff_t>(channels);
        for (std::size_t channel = 0; channel < channels; ++channel) {
            std::size_t first = planar ? channel * count : channel;
            if (backwards) first += (count - 1) * static_cast<std::size_t>(block.stride);
            block.data[channel] = memory.data() + first * sample;
        }
        if (backwards) block.stride = -block.stride;
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    FuzzedBytes bytes(data, size);
    const std::size_t count = bytes.between(1, most_samples);
    Held<const void> from(bytes, count);
    Held<void> to(bytes, count);
    std::optional<std::uint32_t> seed;
    if (bytes.number<std::uint8_t>() % 2) seed = bytes.number<std::uint32_t>();
    require(!share_bytes(from.block, to.block));
    std::ranges::copy(bytes.take(from.memory.size()), from.memory.begin());
    convert_samples(from.block, to.block, seed);
    if (to.block.type == SampleType::float32 && from.block.type != SampleType::float32)
        require_finite({reinterpret_cast<const float*>(to.memory.data()), to.memory.size() / sizeof(float)});
    return 0;
}
