#include "dsp/neural/spectral_steps.hpp"

#include <cmath>
#include <numbers>

namespace spike {
namespace {

constexpr float power_floor = 1e-10f;

}  // namespace

PhaseAdvance::PhaseAdvance(std::size_t bins, double hop, float scale) : scale_(scale) {
    for (std::size_t k = 0; k < bins; ++k) {
        const double turn = -2.0 * std::numbers::pi * hop * static_cast<double>(k);
        turn_real_.push_back(scale * static_cast<float>(std::cos(turn)));
        turn_imag_.push_back(scale * static_cast<float>(std::sin(turn)));
    }
}

void PhaseAdvance::hear(SpectrumView now, SpectrumView before, std::span<float> advance) const noexcept {
    const std::size_t bins = turn_real_.size();
    const float *real = now.real.data(), *imag = now.imag.data();
    const float *past_real = before.real.data(), *past_imag = before.imag.data();
    for (std::size_t k = 0; k < bins; ++k) {
        const float power = real[k] * real[k] + imag[k] * imag[k];
        const float past_power = past_real[k] * past_real[k] + past_imag[k] * past_imag[k];
        const float unit = 1.0f / std::sqrt(scale_ * scale_ * power * past_power + power_floor * power_floor);
        const float moved_real = unit * (real[k] * past_real[k] + imag[k] * past_imag[k]);
        const float moved_imag = unit * (imag[k] * past_real[k] - real[k] * past_imag[k]);
        advance[k] = moved_real * turn_real_[k] - moved_imag * turn_imag_[k];
        advance[bins + k] = moved_real * turn_imag_[k] + moved_imag * turn_real_[k];
    }
}

void add_filtered(SpectrumView from, std::span<const float> filters, std::size_t imag_at, std::size_t low_bins,
                  SpectrumSpan to) noexcept {
    const float *by_real = filters.data(), *by_imag = by_real + imag_at;
    const float *from_real = from.real.data(), *from_imag = from.imag.data();
    for (std::size_t k = 0; k < low_bins; ++k) {
        to.real[k] += by_real[k] * from_real[k] - by_imag[k] * from_imag[k];
        to.imag[k] += by_real[k] * from_imag[k] + by_imag[k] * from_real[k];
    }
}

}  // namespace spike
