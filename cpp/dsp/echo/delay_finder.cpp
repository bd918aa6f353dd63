#include "dsp/echo/delay_finder.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/power.hpp"

namespace spike {
namespace {

constexpr std::size_t hop_samples = 320;  // 80 ms between two correlations
constexpr float forgetting = 0.8f;        // of the averaged spectra, a hop: about 0.4 s
constexpr float sure_ratio = 8.0f;        // peak over the mean magnitude of all lags
constexpr float regularisation = 0.03f;   // of the mean far power: bins that the far end does not excite say nothing
constexpr int agreements = 2;             // correlations in a row that must repeat a peak
constexpr std::size_t same_samples = 6;   // 1.5 ms: two peaks this near are one
constexpr float silence_power = 1e-6f;

}  // namespace

DelayFinder::DelayFinder(const DecimatedLines& lines)
    : lines_(&lines),
      factor_(lines.factor()),
      window_(hop_samples),
      max_lag_(lines.max_lag()),
      fft_(quick_fft_size(2 * hop_samples + max_lag_)),
      time_(fft_.size()),
      far_(fft_.bins()),
      microphone_(fft_.bins()),
      cross_(fft_.bins()),
      far_power_(fft_.bins()),
      drift_finder_(fft_, hop_samples) {}

void DelayFinder::reset() noexcept {
    cross_.clear();
    std::ranges::fill(far_power_, 0.0f);
    drift_finder_.reset();
    state_ = {};
}

void DelayFinder::drift(double samples) noexcept { state_.drifted += samples / static_cast<double>(factor_); }

void DelayFinder::move_evidence() noexcept {
    // A later echo lies at an earlier position of time_: see correlate().
    const double angle = 2.0 * std::numbers::pi * state_.drifted / static_cast<double>(fft_.size());
    state_.drifted = 0.0;
    const auto step_real = std::cos(angle), step_imag = std::sin(angle);
    double real = 1.0, imag = 0.0;
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        const auto turn_real = static_cast<float>(real), turn_imag = static_cast<float>(imag);
        const float old_real = cross_.real[k];
        cross_.real[k] = old_real * turn_real - cross_.imag[k] * turn_imag;
        cross_.imag[k] = old_real * turn_imag + cross_.imag[k] * turn_real;
        const double next = real * step_real - imag * step_imag;
        imag = real * step_imag + imag * step_real;
        real = next;
    }
}

std::optional<double> DelayFinder::process() noexcept {
    state_.growth.reset();
    state_.filled += lines_->new_samples();
    if (state_.filled < hop_samples) return std::nullopt;
    state_.filled = 0;
    return correlate();
}

double DelayFinder::peak_offset(std::size_t lag) const noexcept {
    if (lag == 0 || lag >= max_lag_) return 0.0;
    const float sign = time_[max_lag_ - lag] < 0.0f ? -1.0f : 1.0f;
    const float* peak = &time_[max_lag_ - lag];
    return parabola_top(sign * peak[1], sign * peak[0], sign * peak[-1]);
}

std::optional<double> DelayFinder::correlate() noexcept {
    // While the far end is silent there is nothing to learn, and a near end that talks would be taken for a late echo.
    const auto far = lines_->far().last(window_ + max_lag_), microphone = lines_->microphone().last(window_);
    const bool is_heard = mean_power(far.last(window_)) > silence_power && mean_power(microphone) > silence_power;
    if (!is_heard) {
        drift_finder_.end_silent_hop();
        return std::nullopt;
    }
    std::fill(time_.begin(), time_.end(), 0.0f);
    std::copy(far.begin(), far.end(), time_.begin());
    fft_.forward(time_, far_);
    std::fill(time_.begin(), time_.end(), 0.0f);
    std::copy(microphone.begin(), microphone.end(), time_.begin());
    fft_.forward(time_, microphone_);
    if (state_.drifted != 0.0) move_evidence();
    float mean_far_power = 0.0f;
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        const float real = far_.real[k] * microphone_.real[k] + far_.imag[k] * microphone_.imag[k];
        const float imag = far_.imag[k] * microphone_.real[k] - far_.real[k] * microphone_.imag[k];
        const float power = far_.power(k);
        drift_finder_.hear(k, real, imag, power);
        cross_.real[k] = forgetting * cross_.real[k] + (1.0f - forgetting) * real;
        cross_.imag[k] = forgetting * cross_.imag[k] + (1.0f - forgetting) * imag;
        far_power_[k] = forgetting * far_power_[k] + (1.0f - forgetting) * power;
        mean_far_power += far_power_[k] / static_cast<float>(fft_.bins());
    }
    state_.growth = drift_finder_.end_hop();
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        const float scale = 1.0f / (far_power_[k] + regularisation * mean_far_power);
        far_.real[k] = cross_.real[k] * scale;
        far_.imag[k] = cross_.imag[k] * scale;
    }
    fft_.inverse(far_, time_);

    // The microphone's window lies at the end of the far history: position max_lag is delay 0, position 0 max_lag.
    std::size_t best = 0;
    float sum = 0.0f;
    const auto magnitude = [this](std::size_t lag) { return std::abs(time_[max_lag_ - lag]); };
    for (std::size_t lag = 0; lag <= max_lag_; ++lag) {
        sum += magnitude(lag);
        if (magnitude(lag) > magnitude(best)) best = lag;
    }
    const bool sure = magnitude(best) * static_cast<float>(max_lag_ + 1) > sure_ratio * sum;
    const std::size_t apart = best > state_.candidate ? best - state_.candidate : state_.candidate - best;
    state_.agreed = sure && apart <= same_samples ? state_.agreed + 1 : 0;
    state_.candidate = best;
    if (state_.agreed < agreements) return std::nullopt;
    return (static_cast<double>(best) + peak_offset(best)) * static_cast<double>(factor_);
}

}  // namespace spike
