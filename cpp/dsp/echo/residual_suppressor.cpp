#include "dsp/echo/residual_suppressor.hpp"

#include <algorithm>
#include <cmath>

#include "base/power.hpp"

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
constexpr float certainly_louder = 2.0f, certainly_no_noise = 4.0f;  // in power
constexpr float least_gain = 0.003f;
constexpr float noise_rise = 1.005f;  // a block: the noise floor rises by about 2 dB a second at most
constexpr float power_floor = 1e-9f;
constexpr std::size_t learning_blocks = 20;
constexpr std::size_t top_bands = 7;     // the network's from 6 kHz on
constexpr float presence_kept = 0.97f;   // from block to block: between two sounds of a voice it still talks
constexpr float certain_absence = 0.4f;  // probability of a near end below which its absence is believed
constexpr float far_heard = 1e-7f;       // -70 dBFS
constexpr int far_hold_blocks = 40;      // a room's reverberation

}  // namespace

ResidualSuppressor::ResidualSuppressor(const Config& config)
    : stft_(config.block_samples, 2),
      microphone_(stft_),
      error_(stft_),
      echo_(stft_),
      far_(stft_),
      cleaned_(stft_),
      kept_(EchoMask::bins) {
    const auto bin_of = [&](int frequency_hz) {
        return std::min(stft_.bins() - 1, static_cast<std::size_t>(frequency_hz) * stft_.size() /
                                              static_cast<std::size_t>(config.sample_rate_hz));
    };
    speech_from_ = bin_of(200);
    speech_to_ = bin_of(4000);
    for (auto* buffer : {&error_power_, &echo_power_, &error_mean_, &echo_mean_, &cross_variation_, &echo_variation_,
                         &echo_tail_, &residual_, &noise_, &clean_, &gain_, &protected_})
        buffer->resize(stft_.bins());
    if (config.weights) mask_ = std::make_unique<EchoMask>(config.weights, config.block_samples);
    reset();
}

void ResidualSuppressor::reset() noexcept {
    for (auto* signal : {&microphone_, &error_, &echo_, &far_}) signal->reset();
    cleaned_.reset();
    for (auto* buffer :
         {&error_mean_, &echo_mean_, &cross_variation_, &echo_variation_, &echo_tail_, &residual_, &noise_, &clean_})
        std::fill(buffer->begin(), buffer->end(), 0.0f);
    std::fill(gain_.begin(), gain_.end(), 1.0f);
    state_ = {};
    if (mask_) mask_->reset();
}

void ResidualSuppressor::update_leakage() noexcept {
    for (std::size_t k = 0; k < stft_.bins(); ++k) {
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
    const bool learning = !state_.is_deaf && state_.far_blocks_left == 0 && state_.blocks < learning_blocks;
    float near_power = 0.0f, total_power = power_floor;
    for (std::size_t k = 0; k < stft_.bins(); ++k) {
        const float leakage =
            std::clamp(cross_variation_[k] / (echo_variation_[k] + 1e-12f), least_leakage, most_leakage);
        echo_tail_[k] = std::max(echo_power_[k], tail_decay * echo_tail_[k]);
        const float echo = std::max(leakage * echo_tail_[k], uncertainty_weight * uncertainty[k]);
        residual_[k] = std::max(echo, 0.5f * residual_[k]);
        const float power = error_power_[k];
        if (!state_.is_deaf)
            noise_[k] = learning || power < noise_[k] ? std::max(0.9f * noise_[k] + 0.1f * power, power_floor)
                                                      : noise_[k] * noise_rise;
        if (k < speech_from_ || k > speech_to_) continue;
        near_power += std::max(power - doubt_of_presence * residual_[k] - 2.0f * noise_[k], 0.0f);
        total_power += power;
    }
    const float presence = near_power / total_power;
    state_.near_end_probability += (presence > state_.near_end_probability ? presence_attack : presence_release) *
                                   (presence - state_.near_end_probability);
    if (learning) ++state_.blocks;
}

void ResidualSuppressor::update_gains() noexcept {
    // Nobody talks: rather too much is taken away. Somebody does: rather too little.
    const float absence = 1.0f - state_.near_end_probability;
    const float weight = least_overestimation + (most_overestimation - least_overestimation) * absence * absence;
    for (std::size_t k = 0; k < stft_.bins(); ++k) {
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

void ResidualSuppressor::protect(const EchoReturn& most) noexcept {
    float near = 0.0f, total = power_floor;
    for (std::size_t band = 0; band < EchoReturn::bands; ++band) {
        const std::size_t begin = most.begin(band), end = most.end(band);
        float power = power_floor, noise = 0.0f;
        for (std::size_t k = begin; k < end; ++k) {
            power += error_power_[k];
            noise += noise_[k];
        }
        const float kept = std::max(0.0f, 1.0f - certainly_louder * most.likely_echo(band) / power);
        std::fill_n(protected_.begin() + static_cast<std::ptrdiff_t>(begin), end - begin, kept);
        if (begin < speech_from_ || end > speech_to_) continue;
        near += kept * std::max(power - certainly_no_noise * noise, 0.0f);
        total += power;
    }
    state_.certain_presence = near / total;
}

void ResidualSuppressor::ask_network() noexcept {
    Spectrum& error = error_.spectrum;
    mask_->process({microphone_.spectrum, error, echo_.spectrum, far_.spectrum}, kept_);
    state_.near_end_probability = mask_->near_end_probability();
    // Where nobody talks over the far end, what is left of it goes too.
    state_.presence = std::max({presence_kept * state_.presence, state_.near_end_probability, state_.certain_presence});
    const float doubt = std::min(1.0f, state_.presence / certain_absence);
    const float share = state_.far_blocks_left > 0 ? doubt * doubt : 1.0f;

    const auto answers = mask_->gains().last(top_bands);
    float top = 0.0f;  // what the network does from 6 kHz on holds for all that lies above
    for (const float answer : answers) top += answer / static_cast<float>(top_bands);
    for (std::size_t k = 0; k < stft_.bins(); ++k) {
        const float fill = std::sqrt(std::min(1.0f, noise_[k] / (error_power_[k] + power_floor)));
        const float least = std::max(0.5f * fill, least_gain);
        if (k >= EchoMask::bins) {
            gain_[k] = std::max({share * std::min(gain_[k], top), least, protected_[k]});
            continue;
        }
        const float kept = share * share * kept_.power(k);
        if (kept <= least * least * error_power_[k]) {
            gain_[k] = std::max(least, protected_[k]);
        } else {
            const float masked = share * (1.0f - protected_[k]);
            error.real[k] = protected_[k] * error.real[k] + masked * kept_.real[k];
            error.imag[k] = protected_[k] * error.imag[k] + masked * kept_.imag[k];
            gain_[k] = 1.0f;
        }
    }
}

void ResidualSuppressor::analyse(const Block& block) noexcept {
    state_.far_blocks_left =
        mean_power(block.far) > far_heard ? far_hold_blocks : std::max(0, state_.far_blocks_left - 1);
    stft_.analyse(block.echo, echo_);
    stft_.analyse(block.error, error_);
    stft_.analyse(block.microphone, microphone_);
    if (mask_) stft_.analyse(block.far, far_);
    state_.is_deaf = block.is_deaf;
    for (std::size_t k = 0; k < stft_.bins(); ++k) {
        error_power_[k] = error_.spectrum.power(k);
        echo_power_[k] = echo_.spectrum.power(k);
    }
    update_leakage();
}

void ResidualSuppressor::suppress(std::span<const float> uncertainty, const EchoReturn& most,
                                  std::span<float> out) noexcept {
    update_residual(uncertainty);
    update_gains();
    protect(most);
    if (mask_)
        ask_network();
    else
        std::ranges::transform(gain_, protected_, gain_.begin(),
                               [](float gain, float kept) { return std::max(gain, kept); });
    state_.near_end_probability = std::max(state_.near_end_probability, state_.certain_presence);
    Spectrum& error = error_.spectrum;
    for (std::size_t k = 0; k < stft_.bins(); ++k) {
        error.real[k] *= gain_[k];
        error.imag[k] *= gain_[k];
    }
    stft_.synthesise(error, cleaned_, out);
}

}  // namespace spike
