// Files of weights, and networks that run with those that are accepted.
#include <memory>
#include <vector>

#include "dsp/neural/mask_network.hpp"
#include "fuzz/fuzzed_bytes.hpp"

using namespace spike;
using namespace spike::fuzz;

namespace {

// ISO 3309, bit by bit: without a right checksum, chance would never get beyond it.
std::uint32_t checksum(std::span<const std::uint8_t> bytes) {
    std::uint32_t rest = 0xFFFFFFFFu;
    for (const std::uint8_t byte : bytes) {
        rest ^= byte;
        for (int bit = 0; bit < 8; ++bit) rest = rest & 1 ? 0xEDB88320u ^ (rest >> 1) : rest >> 1;
    }
    return ~rest;
}

void think(std::shared_ptr<const Weights> weights, std::size_t streams) {
    MaskNetwork network(std::move(weights), streams);
    network.require({network.features(0).size(), network.gains(0).size(), network.filters(0).size()}, "chance");
    for (int frame = 0; frame < 3; ++frame) {
        for (std::size_t stream = 0; stream < streams; ++stream) {
            const auto features = network.features(stream);
            for (std::size_t n = 0; n < features.size(); ++n) features[n] = static_cast<float>(n % 7) - 3.0f;
        }
        network.think();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::vector<std::uint8_t> file(data, data + size);
    if (size > 16) {
        const std::uint32_t right = checksum(std::span(file).subspan(16));
        std::memcpy(file.data() + 12, &right, sizeof right);
    }
    try {
        think(std::make_shared<const Weights>(std::as_bytes(std::span(file)), "chance"), 1 + size % 5);
    } catch (const WeightsError&) {
        return 0;
    }
    return 0;
}
