// Finds how far the clocks of loudspeaker and microphone run apart, before any model works.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "base/fft.hpp"
#include "base/spectrum.hpp"

namespace spike {

// The path from far end to microphone, as half a second of spectra shows it, is correlated with the path of a second
// before: all of its reflections have moved by the same time. Which of them is the loudest matters no more.
//
// Method: double-cross-correlation processing, after A. Chinaev, P. Thuene and G. Enzner, "Double-cross-correlation
// processing for blind sampling-rate and time-offset estimation", IEEE/ACM Transactions on Audio, Speech, and Language
// Processing 29 (2021), with paths in the place of cross-correlations.
class DriftFinder {
  public:
    // `fft`: whose spectra are heard, some `hop_samples` apart. Must outlive the finder.
    DriftFinder(RealFft& fft, std::size_t hop_samples);

    // A hop's cross-spectrum, bin by bin, and the far end's power; then `end_hop`.
    void hear(std::size_t k, float real, float imag, float far_power) noexcept {
        now_.real[k] += real;
        now_.imag[k] += imag;
        power_[k] += far_power;
    }

    // Now and then returns by how many samples the delay grows with each sample, when it is sure of it.
    std::optional<double> end_hop() noexcept;

    // Instead of `hear`: one of the two was silent.
    void end_silent_hop() noexcept;

    void reset() noexcept;

  private:
    static constexpr std::size_t paths = 2;  // blocks between those that are compared

    void begin_block() noexcept;
    bool compare() noexcept;
    std::optional<double> growth() noexcept;

    RealFft* fft_;
    double hop_samples_;
    Spectrum now_, product_;
    std::array<Spectrum, paths> past_;
    std::vector<float> power_, time_;
    struct State {
        int heard_hops = 0, silent_hops = 0;  // of this block
        std::size_t known = 0, oldest = 0;    // paths
        long hops = 0;                        // in all
        std::array<long, paths> ends{};       // of the past blocks
        double elapsed = 0.0, weight = 0.0;   // hops between what was compared, averaged as the product
        std::optional<double> last;
    };
    State state_;
};

}  // namespace spike
