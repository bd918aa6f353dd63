#include "dsp/echo/residual_suppressor.hpp"

#include <algorithm>
#include <cmath>

#include "base/window.hpp"

namespace spike {
namespace {

constexpr float mean_smoothing = 0.95f;
constexpr float variation_smoothing = 0.98f;
constexpr float least_leakage = 0.002f;
constexpr float most_leakage = 1.0f;
constexpr float tail_decay = 0.7f;  // a block: what the room still rings with after the model's end
constexpr float least_overestimation = 1.0f, most_overestimation = 20.0f;
constexpr float doubt_of_presence = 3.0f;
constexpr float presence_attack = 1.0f, presence_release = 0.2f;
constexpr float uncertainty_weight = 0.15f;  // the sqrt-Hann window's mean square, against the filter's rectangle
constexpr float decision_smoothing = 0.85f;
constexpr float least_gain = 0.003f;
constexpr float noise_rise = 1.005f;  // a block: the noise floor rises by about 2 dB a second at most
constexpr float power_floor = 1e-9f;
constexpr std::size_t learning_blocks = 20;
constexpr std::size_t top_bands = 7;     // the network's from 6 kHz on
constexpr float presence_kept = 0.95f;   // from block to block: between two sounds of a voice it still talks
constexpr float certain_absence = 0.3f;  // probability of a near end below which its absence is believed
constexpr float far_heard = 1e-7f;       // -70 dBFS
constexpr int far_hold_blocks = 40;      // a room's reverberation

}  // namespace

ResidualSuppressor::ResidualSuppressor(const Config& config)
    : block_(config.block_samples), fft_(2 * config.block_samples), window_(sqrt_hann(2 * config.block_samples)) {
    const auto bin_of = [&](int frequency_hz) {
        return std::min(fft_.bins() - 1, static_cast<std::size_t>(frequency_hz) * 2 * block_ /
                                             static_cast<std::size_t>(config.sample_rate_hz));
    };
    speech_from_ = bin_of(200);
    speech_to_ = bin_of(4000);
    time_.resize(2 * block_);
    overlap_.resize(block_);
    for (auto* analysis : {&microphone_, &error_, &echo_, &far_}) {
        analysis->previous.resize(block_);
        analysis->real.resize(fft_.bins());
        analysis->imag.resize(fft_.bins());
    }
    for (auto* buffer : {&error_power_, &echo_power_, &error_mean_, &echo_mean_, &cross_variation_, &echo_variation_,
                         &echo_tail_, &residual_, &noise_, &clean_, &gain_})
        buffer->resize(fft_.bins());
    kept_real_.resize(EchoMask::bins);
    kept_imag_.resize(EchoMask::bins);
    if (config.weights) mask_ = std::make_unique<EchoMask>(config.weights, block_);
    reset();
}

void ResidualSuppressor::reset() noexcept {
    for (auto* analysis : {&microphone_, &error_, &echo_, &far_})
        std::fill(analysis->previous.begin(), analysis->previous.end(), 0.0f);
    for (auto* buffer : {&overlap_, &error_mean_, &echo_mean_, &cross_variation_, &echo_variation_, &echo_tail_,
                         &residual_, &noise_, &clean_})
        std::fill(buffer->begin(), buffer->end(), 0.0f);
    std::fill(gain_.begin(), gain_.end(), 1.0f);
    near_end_probability_ = presence_ = 0.0f;
    blocks_ = 0;
    far_blocks_left_ = 0;
    if (mask_) mask_->reset();
}

void ResidualSuppressor::transform(std::span<const float> samples, Analysis& analysis) noexcept {
    for (std::size_t n = 0; n < block_; ++n) {
        time_[n] = analysis.previous[n] * window_[n];
        time_[block_ + n] = samples[n] * window_[block_ + n];
        analysis.previous[n] = samples[n];
    }
    fft_.forward(time_, analysis.real, analysis.imag);
}

void ResidualSuppressor::update_leakage() noexcept {
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        const float error_variation = error_power_[k] - error_mean_[k];
        const float echo_variation = echo_power_[k] - echo_mean_[k];
        error_mean_[k] += (1.0f - mean_smoothing) * error_variation;
        echo_mean_[k] += (1.0f - mean_smoothing) * echo_variation;
        cross_variation_[k] =
            variation_smoothing * cross_variation_[k] + (1.0f - variation_smoothing) * error_variation * echo_variation;
        echo_variation_[k] =
            variation_smoothing * echo_variation_[k] + (1.0f - variation_smoothing) * echo_variation * echo_variation;
    }
}

void ResidualSuppressor::update_residual(std::span<const float> uncertainty) noexcept {
    // The room's noise is learned at once where no echo can be taken for it.
    const bool learning = far_blocks_left_ == 0 && blocks_ < learning_blocks;
    float near_power = 0.0f, total_power = power_floor;
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        const float leakage =
            std::clamp(cross_variation_[k] / (echo_variation_[k] + 1e-12f), least_leakage, most_leakage);
        echo_tail_[k] = std::max(echo_power_[k], tail_decay * echo_tail_[k]);
        const float echo = std::max(leakage * echo_tail_[k], uncertainty_weight * uncertainty[k]);
        residual_[k] = std::max(echo, 0.5f * residual_[k]);
        const float power = error_power_[k];
        noise_[k] = learning || power < noise_[k] ? std::max(0.9f * noise_[k] + 0.1f * power, power_floor)
                                                  : noise_[k] * noise_rise;
        if (k < speech_from_ || k > speech_to_) continue;
        near_power += std::max(power - doubt_of_presence * residual_[k] - 2.0f * noise_[k], 0.0f);
        total_power += power;
    }
    const float presence = near_power / total_power;
    near_end_probability_ +=
        (presence > near_end_probability_ ? presence_attack : presence_release) * (presence - near_end_probability_);
    if (learning) ++blocks_;
}

void ResidualSuppressor::update_gains() noexcept {
    // Nobody talks: rather too much is taken away. Somebody does: rather too little.
    const float absence = 1.0f - near_end_probability_;
    const float weight = least_overestimation + (most_overestimation - least_overestimation) * absence * absence;
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        const float power = error_power_[k], echo = weight * residual_[k];
        const float prior = decision_smoothing * clean_[k] / (echo + power_floor) +
                            (1.0f - decision_smoothing) * std::max(power / (echo + power_floor) - 1.0f, 0.0f);
        const float wiener = prior / (1.0f + prior);
        // Never below the room's own noise: a hole in it is heard as pumping.
        const float fill = std::sqrt(std::min(1.0f, noise_[k] / (power + power_floor)));
        gain_[k] = std::max({wiener, echo < noise_[k] ? fill : 0.5f * fill, least_gain});
        clean_[k] = wiener * wiener * power;
    }
}

void ResidualSuppressor::ask_network() noexcept {
    mask_->process(microphone_.spectrum(), error_.spectrum(), echo_.spectrum(), far_.spectrum(), kept_real_,
                   kept_imag_);
    near_end_probability_ = mask_->near_end_probability();
    // Where nobody talks over the far end, what is left of it goes too.
    presence_ = std::max(presence_kept * presence_, near_end_probability_);
    const float doubt = std::min(1.0f, presence_ / certain_absence);
    const float share = far_blocks_left_ > 0 ? doubt * doubt : 1.0f;

    const auto answers = mask_->gains().last(top_bands);
    float top = 0.0f;  // what the network does from 6 kHz on holds for all that lies above
    for (const float answer : answers) top += answer / static_cast<float>(top_bands);
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        const float fill = std::sqrt(std::min(1.0f, noise_[k] / (error_power_[k] + power_floor)));
        const float least = std::max(0.5f * fill, least_gain);
        if (k >= EchoMask::bins) {
            gain_[k] = std::max(share * std::min(gain_[k], top), least);
            continue;
        }
        const float kept = share * share * (kept_real_[k] * kept_real_[k] + kept_imag_[k] * kept_imag_[k]);
        if (kept <= least * least * error_power_[k]) {
            gain_[k] = least;
        } else {
            error_.real[k] = share * kept_real_[k];
            error_.imag[k] = share * kept_imag_[k];
            gain_[k] = 1.0f;
        }
    }
}

void ResidualSuppressor::analyse(const Block& block) noexcept {
    float far_power = 0.0f;
    for (const float sample : block.far) far_power += sample * sample / static_cast<float>(block_);
    far_blocks_left_ = far_power > far_heard ? far_hold_blocks : std::max(0, far_blocks_left_ - 1);
    transform(block.echo, echo_);
    transform(block.error, error_);
    if (mask_) {
        transform(block.microphone, microphone_);
        transform(block.far, far_);
    }
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        error_power_[k] = error_.real[k] * error_.real[k] + error_.imag[k] * error_.imag[k];
        echo_power_[k] = echo_.real[k] * echo_.real[k] + echo_.imag[k] * echo_.imag[k];
    }
    update_leakage();
}

void ResidualSuppressor::suppress(std::span<const float> uncertainty, std::span<float> out) noexcept {
    update_residual(uncertainty);
    update_gains();
    if (mask_) ask_network();
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        error_.real[k] *= gain_[k];
        error_.imag[k] *= gain_[k];
    }
    fft_.inverse(error_.real, error_.imag, time_);
    for (std::size_t n = 0; n < block_; ++n) {
        out[n] = overlap_[n] + time_[n] * window_[n];
        overlap_[n] = time_[block_ + n] * window_[block_ + n];
    }
}

}  // namespace spike
