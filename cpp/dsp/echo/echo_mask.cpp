#include "dsp/echo/echo_mask.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/cpu.hpp"

namespace spike {
namespace {

// As in training/echo_network.py.
constexpr std::size_t phase_bins = 64;
constexpr std::size_t taps = 3;  // the error now and a block ago, the echo
constexpr float kept_of_mean = 0.99f;
constexpr float power_floor = 1e-10f;
constexpr float unit_db = 20.0f, most_units = 4.0f;

// Where each band begins, and the end of the last: single bins, then pairs, then some 300 Hz.
constexpr std::array<std::size_t, EchoMask::bands + 1> edges = [] {
    std::array<std::size_t, EchoMask::bands + 1> made{};
    for (std::size_t band = 0; band < 32; ++band) made[band] = band;
    for (std::size_t band = 0; band < 16; ++band) made[32 + band] = 32 + 2 * band;
    constexpr std::array<std::size_t, 17> wide{64,  70,  76,  82,  88,  94,  100, 106, 112,
                                               119, 125, 131, 137, 143, 149, 155, 161};
    for (std::size_t band = 0; band < wide.size(); ++band) made[48 + band] = wide[band];
    return made;
}();

}  // namespace

EchoMask::EchoMask(std::shared_ptr<const Weights> weights, std::size_t block_samples)
    : network_(std::move(weights), 1),
      scale_(1.0f / static_cast<float>(block_samples * block_samples)),
      advance_(phase_bins, 0.5, scale_),
      kernels_(&neural_kernels(active_isa())),
      past_real_(low_bins),
      past_imag_(low_bins) {
    network_.require({6 * bands + 2 * phase_bins, bands, 2 * taps * low_bins}, "the echo mask");
    reset();
}

void EchoMask::reset() noexcept {
    network_.reset();
    near_level_.heard = far_level_.heard = false;
    for (auto* past : {&past_real_, &past_imag_}) std::ranges::fill(*past, 0.0f);
}

float EchoMask::RunningLevel::follow(std::span<const float> bands_db) noexcept {
    float sum = 0.0f;
    for (const float level : bands_db) sum += level;
    const float now = std::max(sum / static_cast<float>(bands_db.size()), least_db);
    mean_db = heard ? kept_of_mean * mean_db + (1.0f - kept_of_mean) * now : now;
    heard = true;
    return mean_db;
}

void EchoMask::hear_levels(const Spectrum& spectrum, std::span<float> powers) const noexcept {
    for (std::size_t band = 0; band < bands; ++band) {
        float sum = 0.0f;
        for (std::size_t k = edges[band]; k < edges[band + 1]; ++k)
            sum += spectrum.real[k] * spectrum.real[k] + spectrum.imag[k] * spectrum.imag[k];
        powers[band] = scale_ * sum / static_cast<float>(edges[band + 1] - edges[band]);
    }
}

// `features` begin with the powers of the bands; the products come after.
void EchoMask::hear_likeness(const Spectrum& error, const Spectrum& echo, std::span<float> features) const noexcept {
    for (std::size_t band = 0; band < bands; ++band) {
        float real = 0.0f, imag = 0.0f;  // error times the echo's conjugate
        for (std::size_t k = edges[band]; k < edges[band + 1]; ++k) {
            real += error.real[k] * echo.real[k] + error.imag[k] * echo.imag[k];
            imag += error.imag[k] * echo.real[k] - error.real[k] * echo.imag[k];
        }
        const float powers = features[bands + band] * features[2 * bands + band];
        const float share = scale_ / (static_cast<float>(edges[band + 1] - edges[band]) *
                                      std::sqrt(powers + power_floor * power_floor));
        features[4 * bands + band] = real * share;
        features[5 * bands + band] = imag * share;
    }
}

void EchoMask::hear(const Spectrum& microphone, const Spectrum& error, const Spectrum& echo,
                    const Spectrum& far) noexcept {
    const auto features = network_.features(0);
    const Spectrum* const signals[] = {&microphone, &error, &echo, &far};
    for (std::size_t signal = 0; signal < 4; ++signal)
        hear_levels(*signals[signal], features.subspan(signal * bands, bands));
    hear_likeness(error, echo, features);
    advance_.hear(error, past(), features.subspan(6 * bands));
    kernels_->decibels(features.data(), 4 * bands);
    const float near_db = near_level_.follow(features.first(bands));
    const float far_db = far_level_.follow(features.subspan(3 * bands, bands));
    for (std::size_t at = 0; at < 4 * bands; ++at) {
        const float units = (features[at] - (at < 3 * bands ? near_db : far_db)) / unit_db;
        features[at] = std::clamp(units, -most_units, most_units);
    }
}

void EchoMask::keep(const Spectrum& error, const Spectrum& echo, std::span<float> real,
                    std::span<float> imag) noexcept {
    std::copy_n(error.real.begin(), bins, real.begin());
    std::copy_n(error.imag.begin(), bins, imag.begin());
    const Spectrum heard[taps] = {error, past(), echo};
    for (std::size_t tap = 0; tap < taps; ++tap)
        add_filtered(heard[tap], network_.filters(0).subspan(tap * low_bins), taps * low_bins, low_bins, real, imag);
    for (std::size_t band = 0; band < bands; ++band)
        for (std::size_t k = edges[band]; k < edges[band + 1]; ++k) {
            real[k] *= gains()[band];
            imag[k] *= gains()[band];
        }
    std::copy_n(error.real.begin(), low_bins, past_real_.begin());
    std::copy_n(error.imag.begin(), low_bins, past_imag_.begin());
}

void EchoMask::process(const Spectrum& microphone, const Spectrum& error, const Spectrum& echo, const Spectrum& far,
                       std::span<float> real, std::span<float> imag) noexcept {
    hear(microphone, error, echo, far);
    network_.think();
    keep(error, echo, real, imag);
}

}  // namespace spike
