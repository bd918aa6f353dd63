#include "dsp/echo/drift_finder.hpp"

#include <algorithm>
#include <cmath>

#include "dsp/echo/decimated_lines.hpp"

namespace spike {
namespace {

constexpr int hops_per_block = 6;         // half a second
constexpr int most_silent_hops = 3;       // in a block: two that lie further apart tell of another time
constexpr float kept = 0.8f;              // of what earlier blocks said: some 2 s
constexpr float regularisation = 0.03f;   // of the mean far power
constexpr std::size_t least_bin = 60;     // 50 Hz
constexpr std::ptrdiff_t most_lags = 12;  // 3 ms a second
constexpr float sure_ratio = 8.0f;        // peak over the mean magnitude
constexpr double same_growth = 150e-6;    // two answers in a row

}  // namespace

DriftFinder::DriftFinder(RealFft& fft, std::size_t hop_samples)
    : fft_(&fft),
      hop_samples_(static_cast<double>(hop_samples)),
      now_(fft.bins()),
      product_(fft.bins()),
      past_{Spectrum(fft.bins()), Spectrum(fft.bins())},
      power_(fft.bins()),
      time_(fft.size()) {}

void DriftFinder::reset() noexcept {
    now_.clear();
    product_.clear();
    std::ranges::fill(power_, 0.0f);
    state_ = {};
}

void DriftFinder::begin_block() noexcept {
    now_.clear();
    std::ranges::fill(power_, 0.0f);
    state_.heard_hops = state_.silent_hops = 0;
}

void DriftFinder::end_silent_hop() noexcept {
    ++state_.hops;
    if (++state_.silent_hops <= most_silent_hops) return;
    begin_block();
    state_.known = 0;
}

std::optional<double> DriftFinder::end_hop() noexcept {
    ++state_.hops;
    if (++state_.heard_hops < hops_per_block) return std::nullopt;
    const auto found = compare() ? growth() : std::nullopt;
    begin_block();
    const bool again = found && state_.last && std::abs(*found - *state_.last) < same_growth;
    state_.last = found;
    return again ? found : std::nullopt;
}

// The path of this block with that of a second ago.
bool DriftFinder::compare() noexcept {
    float mean = 0.0f;
    for (const float power : power_) mean += power / static_cast<float>(power_.size());
    for (std::size_t k = 0; k < fft_->bins(); ++k) {
        const float scale = 1.0f / (power_[k] + regularisation * mean + 1e-20f);
        now_.real[k] *= scale;
        now_.imag[k] *= scale;
    }
    Spectrum& before = past_[state_.oldest];
    const bool is_known = state_.known == paths;
    if (is_known) {
        for (std::size_t k = least_bin; k < fft_->bins(); ++k) {
            product_.real[k] = kept * product_.real[k] + now_.real[k] * before.real[k] + now_.imag[k] * before.imag[k];
            product_.imag[k] = kept * product_.imag[k] + now_.imag[k] * before.real[k] - now_.real[k] * before.imag[k];
        }
        state_.elapsed = kept * state_.elapsed + static_cast<double>(state_.hops - state_.ends[state_.oldest]);
        state_.weight = kept * state_.weight + 1.0;
    }
    copy(now_, before);
    state_.ends[state_.oldest] = state_.hops;
    state_.oldest = (state_.oldest + 1) % paths;
    state_.known = std::min(state_.known + 1, paths);
    return is_known;
}

std::optional<double> DriftFinder::growth() noexcept {
    fft_->inverse(product_, time_);
    const auto size = static_cast<std::ptrdiff_t>(time_.size());
    const auto at = [&](std::ptrdiff_t lag) { return time_[static_cast<std::size_t>((lag + size) % size)]; };
    std::ptrdiff_t best = 0;
    for (std::ptrdiff_t lag = -most_lags; lag <= most_lags; ++lag)
        if (at(lag) > at(best)) best = lag;
    float mean = 0.0f;
    for (const float value : time_) mean += std::abs(value) / static_cast<float>(time_.size());
    if (at(best) < sure_ratio * mean || std::abs(best) == most_lags) return std::nullopt;
    // A later echo lies at an earlier position.
    const double later = -static_cast<double>(best) - parabola_top(at(best - 1), at(best), at(best + 1));
    return later / (hop_samples_ * state_.elapsed / state_.weight);
}

}  // namespace spike
