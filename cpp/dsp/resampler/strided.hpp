// Samples of one or more channels, however they lie in memory.
#pragma once

#include <cstddef>

namespace spike {

// Distances are in samples: interleaved is {data, channels, 1}, planar {data, 1, length}.
template <typename Sample>
struct Strided {
    Sample* data;
    std::ptrdiff_t to_next = 1;
    std::ptrdiff_t to_channel = 0;

    Strided from(std::size_t index) const noexcept {
        return {data + static_cast<std::ptrdiff_t>(index) * to_next, to_next, to_channel};
    }
    Sample* channel(std::size_t index) const noexcept { return data + static_cast<std::ptrdiff_t>(index) * to_channel; }
};

}  // namespace spike
