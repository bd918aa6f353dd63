// A small network that tells residual echo from the person who talks.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "dsp/neural/layers.hpp"
#include "dsp/neural/weights.hpp"

namespace spike {

// One block's spectrum, planar, bins 50 Hz apart.
struct Spectrum {
    std::span<const float> real, imag;
};

// Hears the levels of four signals in bands below 8 kHz, and how alike the adaptive filter's error and echo are;
// answers with a gain for each bin below 8 kHz and the probability of a near end. Its recipe: training/echo_network.py.
class EchoMask {
  public:
    static constexpr std::size_t bins = 161;  // 0 to 8 kHz
    static constexpr std::size_t bands = 64;

    // `block_samples`: of 10 ms, which sets the scale of the spectra. Throws WeightsError for weights of another
    // network.
    EchoMask(std::shared_ptr<const Weights> weights, std::size_t block_samples);

    // Spectra of one block of at least `bins` bins each.
    void process(const Spectrum& microphone, const Spectrum& error, const Spectrum& echo, const Spectrum& far) noexcept;

    std::span<const float> gains() const noexcept { return gains_; }
    float near_end_probability() const noexcept { return near_end_probability_; }

    void reset() noexcept;

  private:
    void hear(const Spectrum& microphone, const Spectrum& error, const Spectrum& echo, const Spectrum& far) noexcept;
    void band_powers(const Spectrum& spectrum, std::span<float> powers) const noexcept;

    std::shared_ptr<const Weights> weights_;
    float scale_;  // of a power, to what it is at 16 kHz
    Dense inputs_;
    Gru first_, second_;
    Dense answer_, voice_;
    Activations heard_, joined_, state_, band_gains_, chance_;
    std::vector<float> gains_;
    float near_end_probability_ = 0.0f;
};

}  // namespace spike
