#include "dsp/noise/speech_filter.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace spike {
namespace {

// As in training/network.py and training/bands.py.
constexpr std::size_t low_bands = 32;  // up to 8 kHz
constexpr float kept_of_mean = 0.99f;
constexpr float power_floor = 1e-10f;
constexpr float mean_unit_db = 15.0f, whole_unit_db = 20.0f, most_units = 4.0f;

float decibels(float power) noexcept { return 10.0f * std::log10(power + power_floor); }

}  // namespace

SpeechFilter::SpeechFilter(std::shared_ptr<const Weights> weights, std::size_t window_samples, std::size_t streams)
    : network_(std::move(weights), streams),
      bins_(window_samples / 2 + 1),
      low_bins_(network_.filters() / (2 * taps)),
      scale_(4.0f / (static_cast<float>(window_samples) * static_cast<float>(window_samples))),
      power_(bins_),
      streams_(streams) {
    read_bands(network_.weights().floats("bands.edges"));
    band_db_.resize(band_weight_.size());
    const std::size_t bands = band_weight_.size();
    const std::size_t low_bins = std::min(low_bins_, bins_);
    network_.require({2 * bands + 3 * low_bins, bands, 2 * taps * low_bins}, "the noise suppressor's");
    for (Stream& stream : streams_) {
        for (auto* side : {&stream.real, &stream.imag})
            for (auto& frame : *side) frame.resize(bins_);
        stream.mean_db.resize(bands);
    }
    for (std::size_t k = 0; k < low_bins_; ++k) {
        const double turn = -2.0 * std::numbers::pi * static_cast<double>(k) / 3.0;
        turn_real_.push_back(scale_ * static_cast<float>(std::cos(turn)));
        turn_imag_.push_back(scale_ * static_cast<float>(std::sin(turn)));
    }
}

void SpeechFilter::read_bands(std::span<const float> edges) {
    if (edges.size() < low_bands + 2) throw WeightsError(network_.weights().name() + " has too few bands");
    const std::size_t bands = edges.size() - 1;
    const auto centre = [&edges](std::size_t band) { return 0.5f * (edges[band] + edges[band + 1]); };
    band_.resize(bins_);
    share_.resize(bins_);
    std::vector<float> whole(bands);
    // All bins up to 24 kHz have a share in the sums, so that a band cut off by the rate is as quiet as it is.
    for (std::size_t k = 0; k <= static_cast<std::size_t>(edges.back()); ++k) {
        const auto at = static_cast<float>(k);
        const std::size_t last = at < edges[low_bands] ? low_bands - 1 : bands - 1;
        std::size_t band = at < edges[low_bands] ? 0 : low_bands;
        while (band < last && at >= centre(band + 1)) ++band;
        const float share =
            band == last ? 1.0f : std::clamp((centre(band + 1) - at) / (centre(band + 1) - centre(band)), 0.0f, 1.0f);
        whole[band] += share;
        if (band < last) whole[band + 1] += 1.0f - share;
        if (k >= bins_) continue;
        band_[k] = static_cast<std::uint32_t>(band);
        share_[k] = share;
    }
    for (const float sum : whole) band_weight_.push_back(scale_ / sum);
}

void SpeechFilter::listen(std::size_t index, std::span<const float> real, std::span<const float> imag) noexcept {
    Stream& stream = streams_[index];
    stream.newest = (stream.newest + taps - 1) % taps;
    std::ranges::copy(real, stream.real[stream.newest].begin());
    std::ranges::copy(imag, stream.imag[stream.newest].begin());
    for (std::size_t k = 0; k < bins_; ++k) power_[k] = real[k] * real[k] + imag[k] * imag[k];
    hear_levels(stream, network_.features(index));
    hear_phases(stream, network_.features(index));
}

void SpeechFilter::hear_levels(Stream& stream, std::span<float> features) noexcept {
    const std::size_t bands = band_db_.size();
    std::ranges::fill(band_db_, 0.0f);
    for (std::size_t k = 0; k < bins_; ++k) {
        const float part = share_[k] * power_[k];
        band_db_[band_[k]] += part;
        if (band_[k] + 1 < bands) band_db_[band_[k] + 1] += power_[k] - part;
    }
    for (std::size_t band = 0; band < bands; ++band) band_db_[band] = decibels(band_weight_[band] * band_db_[band]);
    if (!stream.heard) stream.mean_db.assign(band_db_.begin(), band_db_.end());
    stream.heard = true;
    float whole_db = 0.0f;
    for (std::size_t band = 0; band < bands; ++band) {
        stream.mean_db[band] = kept_of_mean * stream.mean_db[band] + (1.0f - kept_of_mean) * band_db_[band];
        if (band < low_bands) whole_db += stream.mean_db[band] / static_cast<float>(low_bands);
    }
    const auto limited = [](float units) { return std::clamp(units, -most_units, most_units); };
    for (std::size_t band = 0; band < bands; ++band) {
        features[band] = limited((band_db_[band] - stream.mean_db[band]) / mean_unit_db);
        features[bands + band] = limited((band_db_[band] - whole_db) / whole_unit_db);
    }
    for (std::size_t k = 0; k < low_bins_; ++k)
        features[2 * bands + k] = limited((decibels(scale_ * power_[k]) - whole_db) / whole_unit_db);
}

void SpeechFilter::hear_phases(const Stream& stream, std::span<float> features) const noexcept {
    const std::size_t before = (stream.newest + 1) % taps;
    const float* real = stream.real[stream.newest].data();
    const float* imag = stream.imag[stream.newest].data();
    const float* past_real = stream.real[before].data();
    const float* past_imag = stream.imag[before].data();
    float* turned_real = features.data() + 2 * band_db_.size() + low_bins_;
    float* turned_imag = turned_real + low_bins_;
    for (std::size_t k = 0; k < low_bins_; ++k) {
        const float past_power = past_real[k] * past_real[k] + past_imag[k] * past_imag[k];
        const float sizes = scale_ * scale_ * power_[k] * past_power + power_floor * power_floor;
        const float unit = 1.0f / std::sqrt(sizes);
        const float advance_real = unit * (real[k] * past_real[k] + imag[k] * past_imag[k]);
        const float advance_imag = unit * (imag[k] * past_real[k] - real[k] * past_imag[k]);
        turned_real[k] = advance_real * turn_real_[k] - advance_imag * turn_imag_[k];
        turned_imag[k] = advance_real * turn_imag_[k] + advance_imag * turn_real_[k];
    }
}

void SpeechFilter::filter(std::size_t index, float kept, std::span<float> real, std::span<float> imag) noexcept {
    const Stream& stream = streams_[index];
    const float* noisy_real = stream.real[stream.newest].data();
    const float* noisy_imag = stream.imag[stream.newest].data();
    std::copy(noisy_real, noisy_real + bins_, real.begin());
    std::copy(noisy_imag, noisy_imag + bins_, imag.begin());
    const auto filters = network_.filters(index);
    for (std::size_t tap = 0; tap < taps; ++tap) {
        const float* from_real = stream.real[(stream.newest + tap) % taps].data();
        const float* from_imag = stream.imag[(stream.newest + tap) % taps].data();
        const float* by_real = filters.data() + tap * low_bins_;
        const float* by_imag = by_real + taps * low_bins_;
        for (std::size_t k = 0; k < low_bins_; ++k) {
            real[k] += by_real[k] * from_real[k] - by_imag[k] * from_imag[k];
            imag[k] += by_real[k] * from_imag[k] + by_imag[k] * from_real[k];
        }
    }
    const auto gains = network_.gains(index);
    for (std::size_t k = 0; k < bins_; ++k) {
        const std::size_t next = std::min<std::size_t>(band_[k] + 1, gains.size() - 1);
        const float gain = gains[next] + share_[k] * (gains[band_[k]] - gains[next]);
        real[k] = gain * real[k] + kept * (noisy_real[k] - gain * real[k]);
        imag[k] = gain * imag[k] + kept * (noisy_imag[k] - gain * imag[k]);
    }
}

void SpeechFilter::reset() noexcept {
    network_.reset();
    for (Stream& stream : streams_) {
        for (auto* side : {&stream.real, &stream.imag})
            for (auto& frame : *side) std::ranges::fill(frame, 0.0f);
        stream.newest = 0;
        stream.heard = false;
    }
}

}  // namespace spike
