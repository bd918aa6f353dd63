// Spectra, planar: all real parts, all imaginary parts, the form in which loops over bins vectorise.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "base/planar.hpp"

namespace spike {

// A spectrum that lies somewhere, to be read.
struct SpectrumView {
    std::span<const float> real, imag;

    std::size_t bins() const noexcept { return real.size(); }
    float power(std::size_t k) const noexcept { return real[k] * real[k] + imag[k] * imag[k]; }
    SpectrumView first(std::size_t count) const noexcept { return {real.first(count), imag.first(count)}; }
    PlanarIn planar() const noexcept { return {real.data(), imag.data()}; }
};

// The same, to be written.
struct SpectrumSpan {
    std::span<float> real, imag;

    std::size_t bins() const noexcept { return real.size(); }
    PlanarOut planar() const noexcept { return {real.data(), imag.data()}; }
    operator SpectrumView() const noexcept { return {real, imag}; }
};

// A spectrum of its own, or several as rows.
struct Spectrum {
    Spectrum() = default;
    explicit Spectrum(std::size_t bins, std::size_t rows = 1) : real(bins * rows), imag(bins * rows) {}

    std::size_t bins() const noexcept { return real.size(); }
    float power(std::size_t k) const noexcept { return real[k] * real[k] + imag[k] * imag[k]; }
    SpectrumView view() const noexcept { return {real, imag}; }
    SpectrumSpan span() noexcept { return {real, imag}; }
    operator SpectrumView() const noexcept { return view(); }
    operator SpectrumSpan() noexcept { return span(); }

    SpectrumView row(std::size_t index, std::size_t width) const noexcept {
        return {std::span(real).subspan(index * width, width), std::span(imag).subspan(index * width, width)};
    }
    SpectrumSpan row(std::size_t index, std::size_t width) noexcept {
        return {std::span(real).subspan(index * width, width), std::span(imag).subspan(index * width, width)};
    }

    void clear() noexcept {
        std::ranges::fill(real, 0.0f);
        std::ranges::fill(imag, 0.0f);
    }

    std::vector<float> real, imag;
};

inline void copy(SpectrumView from, SpectrumSpan to) noexcept {
    std::ranges::copy(from.real, to.real.begin());
    std::ranges::copy(from.imag, to.imag.begin());
}

// `spectrum` times `by`, bin by bin, in place: a convolution of what they are spectra of.
inline void multiply(SpectrumSpan spectrum, SpectrumView by) noexcept {
    for (std::size_t k = 0; k < spectrum.bins(); ++k) {
        const float before = spectrum.real[k];
        spectrum.real[k] = before * by.real[k] - spectrum.imag[k] * by.imag[k];
        spectrum.imag[k] = before * by.imag[k] + spectrum.imag[k] * by.real[k];
    }
}

}  // namespace spike
