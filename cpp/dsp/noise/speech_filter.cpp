#include "dsp/noise/speech_filter.hpp"

#include <algorithm>
#include <numeric>

#include "base/cpu.hpp"

namespace spike {
namespace {

// As in training/noise/network.py and training/noise/bands.py.
constexpr std::size_t low_bands = 32;  // up to 8 kHz
constexpr float kept_of_mean = 0.99f;
constexpr float mean_unit_db = 15.0f, whole_unit_db = 20.0f, most_units = 4.0f;

float limited(float units) noexcept { return std::clamp(units, -most_units, most_units); }

}  // namespace

SpeechFilter::SpeechFilter(std::shared_ptr<const Weights> weights, std::size_t window_samples, std::size_t streams)
    : network_(std::move(weights), streams),
      bins_(window_samples / 2 + 1),
      low_bins_(network_.filters() / (2 * taps)),
      scale_(4.0f / (static_cast<float>(window_samples) * static_cast<float>(window_samples))),
      advance_(low_bins_, 1.0 / 3.0, scale_),
      kernels_(&neural_kernels(active_isa())),
      power_(bins_),
      streams_(streams) {
    read_bands(network_.weights().floats("bands.edges"));
    band_db_.resize(band_weight_.size());
    const std::size_t bands = band_weight_.size();
    const std::size_t low_bins = std::min(low_bins_, bins_);
    network_.require({2 * bands + 3 * low_bins, bands, 2 * taps * low_bins}, "the noise suppressor's");
    for (Stream& stream : streams_) {
        stream.frames.fill(Spectrum(bins_));
        stream.mean_db.resize(bands);
    }
}

void SpeechFilter::read_bands(std::span<const float> edges) {
    if (edges.size() < low_bands + 2) throw WeightsError(network_.weights().name() + " has too few bands");
    const std::size_t bands = edges.size() - 1;
    const auto centre = [&edges](std::size_t band) { return 0.5f * (edges[band] + edges[band + 1]); };
    begin_.assign(bands + 1, bins_);
    share_.resize(bins_);
    std::vector<float> whole(bands);
    std::size_t begun = 0;
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
        while (begun <= band) begin_[begun++] = k;
        share_[k] = share;
    }
    for (const float sum : whole) band_weight_.push_back(scale_ / sum);
}

void SpeechFilter::listen(std::size_t index, SpectrumView spectrum) noexcept {
    Stream& stream = streams_[index];
    stream.newest = (stream.newest + taps - 1) % taps;
    copy(spectrum, stream.frames[stream.newest]);
    for (std::size_t k = 0; k < bins_; ++k) power_[k] = spectrum.power(k);
    const auto features = network_.features(index);
    hear_levels(stream, features);
    advance_.hear(stream.frame(), stream.frame(1), features.subspan(2 * band_db_.size() + low_bins_));
}

void SpeechFilter::hear_levels(Stream& stream, std::span<float> features) noexcept {
    const std::size_t bands = band_db_.size();
    float next = 0.0f;  // what a band's bins leave to the band above
    for (std::size_t band = 0; band < bands; ++band) {
        const float *first = power_.data() + begin_[band], *last = power_.data() + begin_[band + 1];
        const float own = std::transform_reduce(first, last, share_.data() + begin_[band], 0.0f);
        band_db_[band] = band_weight_[band] * (next + own);
        next = std::reduce(first, last, 0.0f) - own;
    }
    kernels_->decibels(band_db_.data(), bands);
    if (!stream.heard) stream.mean_db.assign(band_db_.begin(), band_db_.end());
    stream.heard = true;
    float whole_db = 0.0f;
    for (std::size_t band = 0; band < bands; ++band) {
        stream.mean_db[band] = kept_of_mean * stream.mean_db[band] + (1.0f - kept_of_mean) * band_db_[band];
        if (band < low_bands) whole_db += stream.mean_db[band] / static_cast<float>(low_bands);
    }
    for (std::size_t band = 0; band < bands; ++band) {
        features[band] = limited((band_db_[band] - stream.mean_db[band]) / mean_unit_db);
        features[bands + band] = limited((band_db_[band] - whole_db) / whole_unit_db);
    }
    float* bins_db = features.data() + 2 * bands;
    for (std::size_t k = 0; k < low_bins_; ++k) bins_db[k] = scale_ * power_[k];
    kernels_->decibels(bins_db, low_bins_);
    for (std::size_t k = 0; k < low_bins_; ++k) bins_db[k] = limited((bins_db[k] - whole_db) / whole_unit_db);
}

void SpeechFilter::filter(std::size_t index, float kept, SpectrumSpan spectrum) noexcept {
    const Stream& stream = streams_[index];
    const SpectrumView noisy = stream.frame();
    copy(noisy, spectrum);
    const auto filters = network_.filters(index);
    for (std::size_t tap = 0; tap < taps; ++tap)
        add_filtered(stream.frame(tap), filters.subspan(tap * low_bins_), taps * low_bins_, low_bins_, spectrum);
    const auto gains = network_.gains(index);
    const auto [real, imag] = spectrum;
    for (std::size_t band = 0; band < gains.size(); ++band) {
        const float next = gains[std::min(band + 1, gains.size() - 1)], more = gains[band] - next;
        for (std::size_t k = begin_[band]; k < begin_[band + 1]; ++k) {
            const float gain = next + share_[k] * more;
            real[k] = gain * real[k] + kept * (noisy.real[k] - gain * real[k]);
            imag[k] = gain * imag[k] + kept * (noisy.imag[k] - gain * imag[k]);
        }
    }
}

void SpeechFilter::reset() noexcept {
    network_.reset();
    for (Stream& stream : streams_) {
        for (Spectrum& frame : stream.frames) frame.clear();
        stream.newest = 0;
        stream.heard = false;
    }
}

}  // namespace spike
