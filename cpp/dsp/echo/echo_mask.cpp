#include "dsp/echo/echo_mask.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/cpu.hpp"

namespace spike {
namespace {

// As in training/echo/network.py.
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
      bins_(std::min(bins, block_samples + 1)),
      scale_(1.0f / static_cast<float>(block_samples * block_samples)),
      advance_(phase_bins, 0.5, scale_),
      kernels_(&neural_kernels(active_isa())),
      past_(low_bins) {
    network_.require({6 * bands + 2 * phase_bins, bands, 2 * taps * low_bins}, "the echo mask");
    reset();
}

void EchoMask::reset() noexcept {
    network_.reset();
    near_level_.heard = far_level_.heard = false;
    past_.clear();
}

std::size_t EchoMask::begin_of(std::size_t band) const noexcept { return std::min(edges[band], bins_); }

float EchoMask::RunningLevel::follow(std::span<const float> bands_db) noexcept {
    float sum = 0.0f;
    for (const float level : bands_db) sum += level;
    const float now = std::max(sum / static_cast<float>(bands_db.size()), least_db);
    mean_db = heard ? kept_of_mean * mean_db + (1.0f - kept_of_mean) * now : now;
    heard = true;
    return mean_db;
}

void EchoMask::hear_levels(SpectrumView spectrum, std::span<float> powers) const noexcept {
    for (std::size_t band = 0; band < bands; ++band) {
        float sum = 0.0f;
        for (std::size_t k = begin_of(band); k < end_of(band); ++k) sum += spectrum.power(k);
        powers[band] = scale_ * sum / static_cast<float>(edges[band + 1] - edges[band]);
    }
}

// `features` begin with the powers of the bands; the products come after.
void EchoMask::hear_likeness(SpectrumView error, SpectrumView echo, std::span<float> features) const noexcept {
    for (std::size_t band = 0; band < bands; ++band) {
        float real = 0.0f, imag = 0.0f;  // error times the echo's conjugate
        for (std::size_t k = begin_of(band); k < end_of(band); ++k) {
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

void EchoMask::hear(const Block& block) noexcept {
    const auto features = network_.features(0);
    const std::array signals{block.microphone, block.error, block.echo, block.far};
    for (std::size_t signal = 0; signal < signals.size(); ++signal)
        hear_levels(signals[signal], features.subspan(signal * bands, bands));
    hear_likeness(block.error, block.echo, features);
    advance_.hear(block.error, past_, features.subspan(6 * bands));
    kernels_->decibels(features.data(), 4 * bands);
    const float near_db = near_level_.follow(features.first(bands));
    const float far_db = far_level_.follow(features.subspan(3 * bands, bands));
    for (std::size_t at = 0; at < 4 * bands; ++at) {
        const float units = (features[at] - (at < 3 * bands ? near_db : far_db)) / unit_db;
        features[at] = std::clamp(units, -most_units, most_units);
    }
}

void EchoMask::keep(SpectrumView error, SpectrumView echo, SpectrumSpan kept) noexcept {
    copy(error.first(bins_), kept);
    const std::array<SpectrumView, taps> heard{error, past_, echo};
    for (std::size_t tap = 0; tap < taps; ++tap)
        add_filtered(heard[tap], network_.filters(0).subspan(tap * low_bins), taps * low_bins, low_bins, kept);
    for (std::size_t band = 0; band < bands; ++band)
        for (std::size_t k = begin_of(band); k < end_of(band); ++k) {
            kept.real[k] *= gains()[band];
            kept.imag[k] *= gains()[band];
        }
    copy(error.first(low_bins), past_);
}

void EchoMask::process(const Block& block, SpectrumSpan kept) noexcept {
    hear(block);
    network_.think();
    keep(block.error, block.echo, kept);
}

}  // namespace spike
