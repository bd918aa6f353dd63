#include "dsp/echo/phase_match.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/power.hpp"

namespace spike {
namespace {

constexpr int decimated_hz = 8000, lowest_hz = 150, highest_hz = 3750;
constexpr std::size_t blocks_per_hop = 2, blocks_per_window = 4, longest_delay_ms = 1000;
constexpr int enough_hops = 4;
constexpr int early_hops = 50, later_step = 8;  // after a second one hop in eight is enough
constexpr float forgetting = 0.92f;             // of the cross spectrum, a hop
// The most that the loudest two milliseconds of all lags have by chance, in the mean of all; from `enough_hops` on. And
// what only an echo has.
constexpr std::array no_echo{10.0f, 12.0f, 14.0f, 18.0f, 22.0f};
constexpr float certain_echo = 36.0f;
constexpr std::size_t span_us = 2000;
constexpr float voice_power = 2e-5f;  // of a microphone that hears more than its noise: softer echoes hide in it
constexpr float aloud_power = 1e-4f;  // of a far end whose echo would be heard
// What was learned while the far end was soft says little when it becomes so much louder.
constexpr float much_louder = 10.0f, loudest_kept = 0.975f;  // a hop

std::size_t factor_of(int sample_rate_hz) { return decimation_factor(sample_rate_hz, decimated_hz); }

}  // namespace

PhaseMatch::PhaseMatch(std::size_t block_samples, int sample_rate_hz)
    : window_(blocks_per_window * block_samples / factor_of(sample_rate_hz)),
      span_(static_cast<std::size_t>(sample_rate_hz) * span_us / factor_of(sample_rate_hz) / 1000000),
      lags_(longest_delay_ms / 10 * block_samples / factor_of(sample_rate_hz)),
      microphone_(factor_of(sample_rate_hz), window_, block_samples),
      far_(factor_of(sample_rate_hz), window_ + lags_, block_samples),
      fft_(quick_fft_size(2 * window_ + lags_)),
      time_(fft_.size()),
      far_spectrum_(fft_.bins()),
      microphone_spectrum_(fft_.bins()),
      cross_(fft_.bins()) {
    const auto bin_of = [&](int frequency_hz) {
        return static_cast<std::size_t>(frequency_hz) * factor_of(sample_rate_hz) * fft_.size() /
               static_cast<std::size_t>(sample_rate_hz);
    };
    first_bin_ = bin_of(lowest_hz);
    last_bin_ = bin_of(highest_hz);
}

void PhaseMatch::reset() noexcept {
    for (auto* line : {&microphone_, &far_}) line->reset();
    state_ = {};
}

void PhaseMatch::begin() noexcept {
    cross_.clear();
    state_ = {.is_listening = true, .far_power = state_.far_power};
}

void PhaseMatch::hear(std::span<const float> microphone, std::span<const float> far) noexcept {
    far_.push(far);
    microphone_.push(microphone);
    state_.age_blocks = std::min(state_.age_blocks + 1, blocks_to_judge);
    if (++state_.blocks < blocks_per_hop) return;
    state_.blocks = 0;
    end_hop();
}

void PhaseMatch::end_hop() noexcept {
    const float played = mean_power(far_.samples().last(window_));
    if (played > much_louder * state_.far_power) {
        state_.hops = 0;
        state_.is_none = false;
    }
    state_.far_power = std::max(played, loudest_kept * state_.far_power);
    if (!state_.is_listening || state_.far_power < aloud_power || mean_power(microphone_.samples()) < voice_power)
        return;
    ++state_.hops;
    if (state_.hops > early_hops && state_.hops % later_step != 0) return;
    correlate();
    if (state_.hops >= enough_hops) judge();
}

void PhaseMatch::judge() noexcept {
    const float most = loudest_lags();
    const auto at = std::min<std::size_t>(state_.hops - enough_hops, no_echo.size() - 1);
    state_.is_listening = state_.hops > early_hops || most < certain_echo;
    state_.is_none = most < no_echo[at];
}

// The microphone's window lies at the end of the far history: position `lags_` is delay 0.
void PhaseMatch::correlate() noexcept {
    const auto transform = [this](std::span<const float> samples, Spectrum& spectrum) {
        std::ranges::fill(time_, 0.0f);
        std::ranges::copy(samples, time_.begin());
        fft_.forward(time_, spectrum);
    };
    transform(far_.samples(), far_spectrum_);
    transform(microphone_.samples(), microphone_spectrum_);
    for (std::size_t k = first_bin_; k < last_bin_; ++k) {
        const float far_real = far_spectrum_.real[k], far_imag = far_spectrum_.imag[k];
        const float real = microphone_spectrum_.real[k], imag = microphone_spectrum_.imag[k];
        cross_.real[k] = forgetting * cross_.real[k] + far_real * real + far_imag * imag;
        cross_.imag[k] = forgetting * cross_.imag[k] + far_imag * real - far_real * imag;
    }
}

float PhaseMatch::loudest_lags() noexcept {
    far_spectrum_.clear();
    for (std::size_t k = first_bin_; k < last_bin_; ++k) {
        const float scale = 1.0f / (std::sqrt(cross_.power(k)) + 1e-12f);
        far_spectrum_.real[k] = scale * cross_.real[k];
        far_spectrum_.imag[k] = scale * cross_.imag[k];
    }
    fft_.inverse(far_spectrum_, time_);
    float sum = 0.0f, most = 0.0f;
    for (std::size_t at = 0; at < lags_; ++at) {
        sum += time_[at] * time_[at];
        if (at >= span_) sum -= time_[at - span_] * time_[at - span_];
        most = std::max(most, sum);
    }
    const auto size = static_cast<float>(fft_.size()), bins = static_cast<float>(last_bin_ - first_bin_);
    return most * size * size / (2.0f * bins * static_cast<float>(span_));
}

}  // namespace spike
