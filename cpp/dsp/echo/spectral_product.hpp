// The product of two spectra: a convolution.
#pragma once

#include <cstddef>
#include <span>

namespace spike {

// `real`, `imag` times the others, bin by bin, in place.
inline void multiply_spectrum(std::span<float> real, std::span<float> imag, std::span<const float> by_real,
                              std::span<const float> by_imag) noexcept {
    for (std::size_t k = 0; k < real.size(); ++k) {
        const float before = real[k];
        real[k] = before * by_real[k] - imag[k] * by_imag[k];
        imag[k] = before * by_imag[k] + imag[k] * by_real[k];
    }
}

}  // namespace spike
