// The short-time Fourier transform: overlapping windows to spectra, and spectra back to samples.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "base/fft.hpp"
#include "base/spectrum.hpp"
#include "base/window.hpp"

namespace spike {

// Square roots of Hann windows, one hop apart, on both sides. One of these serves any number of signals, one after
// another or several side by side: with `lanes`, each sample and each bin is a row of one of each.
class Stft {
  public:
    // Signals on their way to spectra, and the newest of them.
    struct Analysis {
        explicit Analysis(const Stft& stft)
            : previous(stft.overlap() * stft.lanes()), spectrum(stft.bins() * stft.lanes()) {}
        void reset() noexcept { std::ranges::fill(previous, 0.0f); }

        std::vector<float> previous;  // all of a window but one hop
        Spectrum spectrum;
    };

    // Signals on their way back: what the windows so far leave to the next ones.
    struct Synthesis {
        explicit Synthesis(const Stft& stft) : overlapping(stft.overlap() * stft.lanes()) {}
        void reset() noexcept { std::ranges::fill(overlapping, 0.0f); }

        std::vector<float> overlapping;
    };

    // A window is `hops` hops long, 2 or more.
    Stft(std::size_t hop_samples, std::size_t hops, std::size_t lanes = 1)
        : hop_(hop_samples), fft_(hop_samples * hops, active_isa(), lanes), time_(fft_.size() * lanes) {
        for (const float weight : sqrt_hann(fft_.size())) window_.insert(window_.end(), lanes, weight);
    }

    std::size_t hop() const noexcept { return hop_; }
    std::size_t size() const noexcept { return fft_.size(); }
    std::size_t overlap() const noexcept { return fft_.size() - hop_; }
    std::size_t bins() const noexcept { return fft_.bins(); }
    std::size_t lanes() const noexcept { return fft_.lanes(); }

    // Takes one hop of samples of each signal.
    void analyse(std::span<const float> fresh, Analysis& signal) noexcept {
        const auto after = std::ranges::copy(signal.previous, time_.begin()).out;
        std::ranges::copy(fresh, after);
        std::copy(time_.begin() + static_cast<std::ptrdiff_t>(hop_ * lanes()), time_.end(), signal.previous.begin());
        std::ranges::transform(time_, window_, time_.begin(), std::multiplies<>());
        fft_.forward(time_, signal.spectrum);
    }

    // Gives one hop of samples of each signal, late by the overlap.
    void synthesise(SpectrumView spectrum, Synthesis& signal, std::span<float> out) noexcept {
        fft_.inverse(spectrum, time_);
        // Squares of the windows that meet at a sample add up to half their number.
        const float scale = 2.0f * static_cast<float>(hop_) / static_cast<float>(size());
        for (std::size_t n = 0; n < time_.size(); ++n) time_[n] *= scale * window_[n];
        const std::size_t kept = signal.overlapping.size();
        for (std::size_t n = 0; n < kept; ++n) time_[n] += signal.overlapping[n];
        std::copy_n(time_.begin(), hop_ * lanes(), out.begin());
        std::copy_n(time_.begin() + static_cast<std::ptrdiff_t>(hop_ * lanes()), kept, signal.overlapping.begin());
    }

  private:
    std::size_t hop_;
    RealFft fft_;
    std::vector<float> window_, time_;
};

}  // namespace spike
