// What the networks' stages do with spectra on both sides of the network: what it hears, and filtering as it says.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/spectrum.hpp"

namespace spike {

// How far the phase of each low bin has moved in a frame, less what a steady sine in the middle of the bin turns, as a
// complex number of size 1; smaller where there is next to nothing. As `phase_advance` in training/noise/network.py.
class PhaseAdvance {
  public:
    // Frames are `hop` of a window apart; `scale` brings powers to where a sine of amplitude 1 is near 1.
    PhaseAdvance(std::size_t bins, double hop, float scale);

    // `advance`: real parts, then imaginary ones.
    void hear(SpectrumView now, SpectrumView before, std::span<float> advance) const noexcept;

  private:
    float scale_;
    std::vector<float> turn_real_, turn_imag_;
};

// Adds to the low bins of `to` what complex filters make of `from`: `filters` are the real parts of one tap, and
// `imag_at` further the imaginary ones.
void add_filtered(SpectrumView from, std::span<const float> filters, std::size_t imag_at, std::size_t low_bins,
                  SpectrumSpan to) noexcept;

}  // namespace spike
