// Windows of overlap-add analysis and synthesis.
#pragma once

#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

namespace spike {

// The square root of the periodic Hann window: applied before and after a spectral change with half overlap, the frames
// add up to what went in.
inline std::vector<float> sqrt_hann(std::size_t size) {
    std::vector<float> window(size);
    for (std::size_t n = 0; n < size; ++n)
        window[n] = static_cast<float>(std::sin(std::numbers::pi * static_cast<double>(n) / static_cast<double>(size)));
    return window;
}

}  // namespace spike
