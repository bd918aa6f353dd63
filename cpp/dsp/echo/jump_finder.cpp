#include "dsp/echo/jump_finder.hpp"

#include <algorithm>
#include <cmath>

namespace spike {
namespace {

constexpr float from_hz = 80.0f, to_hz = 1600.0f;
constexpr std::size_t smoothed_bins = 15;  // to each side: 10 Hz
constexpr float power_share = 0.01f;       // of the mean power, below which a bin is not lifted
constexpr double energy_share = 1e-2;      // of the mean energy: a silent stretch is like nothing
constexpr std::size_t same_lags = 8;       // 2 ms: two peaks this near are one
constexpr std::size_t here_lags = 2;
constexpr float forgetting = 0.6f;                            // of the likeness, a look
constexpr float least_likeness = 0.35f, likelier_by = 0.15f;  // than where the model is
constexpr float most_of_a_look = 0.5f, enough_looks = 0.7f;   // by how much a peak stands out of the others, in sum
constexpr float elsewhere_likeness = 0.3f, elsewhere_by = 0.1f;
constexpr double same_jump_lags = 2.0, least_jump_lags = 6.0;  // 0.5 and 1.5 ms
constexpr std::size_t filter_lags = 3;                         // that the decimation's own delay takes

void smooth_power(SpectrumView spectrum, std::span<float> power) noexcept {
    const std::size_t bins = power.size();
    const auto at = [&](std::size_t k) { return spectrum.power(k); };
    float sum = 0.0f, mean = 0.0f;
    for (std::size_t k = 0; k < bins; ++k) mean += at(k) / static_cast<float>(bins);
    for (std::size_t k = 0; k < std::min(smoothed_bins, bins); ++k) sum += at(k);
    for (std::size_t k = 0; k < bins; ++k) {
        if (k + smoothed_bins < bins) sum += at(k + smoothed_bins);
        if (k > smoothed_bins) sum -= at(k - smoothed_bins - 1);
        power[k] = std::max(sum, 0.0f) / static_cast<float>(2 * smoothed_bins + 1) + power_share * mean + 1e-20f;
    }
}

}  // namespace

JumpFinder::JumpFinder(const DecimatedLines& lines, std::size_t response_samples)
    : lines_(&lines),
      window_(lines.microphone().size()),
      lags_(lines.max_lag() + 1),
      length_(window_ + lines.max_lag()),
      fft_(quick_fft_size(lines.far().size())),
      decimator_(lines.factor()),
      response_(response_samples),
      kept_(response_samples / lines.factor() + 1),
      time_(fft_.size()),
      echo_(fft_.size()),
      model_(fft_.bins()),
      echo_spectrum_(fft_.bins()),
      microphone_(fft_.bins()),
      echo_power_(fft_.bins()),
      microphone_power_(fft_.bins()),
      energy_(length_ + 1),
      likeness_(lags_) {}

void JumpFinder::reset() noexcept {
    std::fill(likeness_.begin(), likeness_.end(), 0.0f);
    state_ = {};
}

void JumpFinder::expect(std::size_t lead) noexcept {
    const std::size_t factor = lines_->factor();
    reset();
    const std::size_t skipped = lead / factor + filter_lags;
    decimator_.reset();
    const std::size_t count = decimator_.process(response_, kept_);
    std::fill(time_.begin(), time_.end(), 0.0f);
    if (skipped < count)
        std::copy(kept_.begin() + static_cast<std::ptrdiff_t>(skipped),
                  kept_.begin() + static_cast<std::ptrdiff_t>(count), time_.begin());
    fft_.forward(time_, model_);
    // Output k of the decimator tells of the moment (k - 3) * factor - 0.5.
    offset_ = static_cast<double>(skipped - filter_lags) - 0.5 / static_cast<double>(factor);
}

void JumpFinder::predict() noexcept {
    const auto far = lines_->far();
    std::fill(time_.begin(), time_.end(), 0.0f);
    std::copy(far.begin(), far.end(), time_.begin());
    fft_.forward(time_, echo_spectrum_);
    multiply(echo_spectrum_, model_);
    fft_.inverse(echo_spectrum_, echo_);
    // The oldest part lacks what was before it.
    std::fill(time_.begin(), time_.end(), 0.0f);
    std::copy_n(echo_.begin() + static_cast<std::ptrdiff_t>(far.size() - length_), length_, time_.begin());
    fft_.forward(time_, echo_spectrum_);
}

void JumpFinder::whiten() noexcept {
    const auto microphone = lines_->microphone();
    std::fill(time_.begin(), time_.end(), 0.0f);
    std::copy(microphone.begin(), microphone.end(), time_.begin());
    fft_.forward(time_, microphone_);
    smooth_power(echo_spectrum_, echo_power_);
    smooth_power(microphone_, microphone_power_);
    const float hz_per_bin = static_cast<float>(decimated_rate_hz) / static_cast<float>(fft_.size());
    const auto from = static_cast<std::size_t>(from_hz / hz_per_bin), to = static_cast<std::size_t>(to_hz / hz_per_bin);
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        const float weight =
            k < from || k > to ? 0.0f : 1.0f / std::sqrt(std::sqrt(echo_power_[k] * microphone_power_[k]));
        for (auto* values : {&echo_spectrum_.real, &echo_spectrum_.imag, &microphone_.real, &microphone_.imag})
            (*values)[k] *= weight;
    }
}

void JumpFinder::compare() noexcept {
    predict();
    whiten();
    fft_.inverse(echo_spectrum_, echo_);
    energy_[0] = 0.0;
    for (std::size_t n = 0; n < length_; ++n) energy_[n + 1] = energy_[n] + static_cast<double>(echo_[n]) * echo_[n];
    double microphone_energy = 0.0;
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        const float real = microphone_.real[k], imag = microphone_.imag[k];
        microphone_energy += 2.0 * (real * real + imag * imag) / static_cast<double>(fft_.size());
        microphone_.real[k] = echo_spectrum_.real[k] * real + echo_spectrum_.imag[k] * imag;
        microphone_.imag[k] = echo_spectrum_.imag[k] * real - echo_spectrum_.real[k] * imag;
    }
    fft_.inverse(microphone_, time_);
    // time_[p]: the microphone's window begins at p of the prediction; the last p is no delay.
    const double floor = energy_share * energy_[length_] * static_cast<double>(window_) / static_cast<double>(length_);
    for (std::size_t p = 0; p < lags_; ++p) {
        const double energy = energy_[p + window_] - energy_[p] + floor;
        const auto like = time_[p] / static_cast<float>(std::sqrt(energy * microphone_energy) + 1e-20);
        likeness_[p] = forgetting * likeness_[p] + (1.0f - forgetting) * like;
    }
    state_.weight = forgetting * state_.weight + 1.0f - forgetting;
}

double JumpFinder::between_lags(std::size_t place) const noexcept {
    if (place == 0 || place + 1 >= lags_) return 0.0;
    return parabola_top(likeness_[place - 1], likeness_[place], likeness_[place + 1]);
}

JumpFinder::Match JumpFinder::match(double here) const noexcept {
    Match found;
    const auto best =
        static_cast<std::size_t>(std::max_element(likeness_.begin(), likeness_.end()) - likeness_.begin());
    const double best_lag = static_cast<double>(lags_ - 1 - best) - between_lags(best);
    found.moved = (best_lag - here) * static_cast<double>(lines_->factor());
    const auto apart = [](std::size_t one, std::size_t other) { return one > other ? one - other : other - one; };
    const auto place = lags_ - 1 - std::min(lags_ - 1, static_cast<std::size_t>(std::max(0.0, std::round(here))));
    for (std::size_t p = 0; p < lags_; ++p) {
        const float value = likeness_[p] / state_.weight;
        if (p == best) found.best = value;
        if (apart(p, best) > same_lags) found.second = std::max(found.second, value);
        if (apart(p, place) <= here_lags) found.here = std::max(found.here, value);
    }
    return found;
}

std::optional<double> JumpFinder::look(double begin) noexcept {
    compare();
    const Match found = match(begin / static_cast<double>(lines_->factor()) + offset_);
    const bool is_far = std::abs(found.moved) > least_jump_lags * static_cast<double>(lines_->factor());
    state_.is_elsewhere = is_far && found.best > elsewhere_likeness && found.best > found.here + elsewhere_by;
    const bool seems = is_far && found.best > least_likeness && found.best > found.here + likelier_by;
    const bool again = std::abs(found.moved - state_.moved) < same_jump_lags * static_cast<double>(lines_->factor());
    const float stands_out = std::min(found.best / (found.second + 1e-6f) - 1.0f, most_of_a_look);
    state_.evidence = !seems ? 0.0f : again ? state_.evidence + stands_out : stands_out;
    state_.moved = found.moved;
    if (state_.evidence < enough_looks) return std::nullopt;
    return found.moved;
}

}  // namespace spike
