// A small network that tells residual echo from the person who talks.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/spectrum.hpp"
#include "dsp/neural/mask_network.hpp"
#include "dsp/neural/spectral_steps.hpp"

namespace spike {

// Hears the levels of four signals in bands below 8 kHz, how alike the adaptive filter's error and echo are and how the
// error's phases move; answers with a gain for each band, with filters of the low bins over the error and the echo, and
// with the probability of a near end. Its recipe: training/echo/network.py.
class EchoMask {
  public:
    static constexpr std::size_t bins = 161;  // 0 to 8 kHz
    static constexpr std::size_t bands = 64;
    static constexpr std::size_t low_bins = 80;  // 0 to 4 kHz

    // `block_samples`: of 10 ms, which sets the scale of the spectra. Below 16 kHz the bands above the spectra are
    // heard as silent. Throws WeightsError for weights of another network.
    EchoMask(std::shared_ptr<const Weights> weights, std::size_t block_samples);

    // Spectra of one block, bins 50 Hz apart.
    struct Block {
        SpectrumView microphone, error, echo, far;
    };

    // Writes what is kept of the error's first `bins`, or of all where it has less.
    void process(const Block& block, SpectrumSpan kept) noexcept;

    // Of that block's bands, the last one up to 8 kHz.
    std::span<const float> gains() const noexcept { return network_.gains(0); }
    float near_end_probability() const noexcept { return network_.voice_probability(0); }

    void reset() noexcept;

  private:
    // A level that is followed over a second, from the first one on.
    struct RunningLevel {
        float least_db, mean_db = 0.0f;
        bool heard = false;
        float follow(std::span<const float> bands_db) noexcept;
    };

    void hear(const Block& block) noexcept;
    void hear_levels(SpectrumView spectrum, std::span<float> powers) const noexcept;
    void hear_likeness(SpectrumView error, SpectrumView echo, std::span<float> features) const noexcept;
    void keep(SpectrumView error, SpectrumView echo, SpectrumSpan kept) noexcept;

    // Of a band's bins, the first and the one after the last that the spectra have.
    std::size_t begin_of(std::size_t band) const noexcept;
    std::size_t end_of(std::size_t band) const noexcept { return begin_of(band + 1); }

    MaskNetwork network_;
    std::size_t bins_;  // that there are
    float scale_;       // of a power, to that of a sine of amplitude 1
    PhaseAdvance advance_;
    const NeuralKernels* kernels_;
    RunningLevel near_level_{-80.0f}, far_level_{-60.0f};
    Spectrum past_;  // the error's low bins a block ago
};

}  // namespace spike
