#include "dsp/echo/delay_finder.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "dsp/power.hpp"

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
      time_(fft_.size()) {
    for (auto* spectrum :
         {&far_real_, &far_imag_, &microphone_real_, &microphone_imag_, &cross_real_, &cross_imag_, &far_power_})
        spectrum->resize(fft_.bins());
}

void DelayFinder::reset() noexcept {
    for (auto* buffer : {&cross_real_, &cross_imag_, &far_power_}) std::fill(buffer->begin(), buffer->end(), 0.0f);
    filled_ = 0;
    drifted_ = 0.0;
    candidate_ = nowhere;
    agreed_ = 0;
}

void DelayFinder::drift(double samples) noexcept { drifted_ += samples / static_cast<double>(factor_); }

void DelayFinder::move_evidence() noexcept {
    // A later echo lies at an earlier position of time_: see correlate().
    const double angle = 2.0 * std::numbers::pi * drifted_ / static_cast<double>(fft_.size());
    drifted_ = 0.0;
    const auto step_real = std::cos(angle), step_imag = std::sin(angle);
    double real = 1.0, imag = 0.0;
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        const auto turn_real = static_cast<float>(real), turn_imag = static_cast<float>(imag);
        const float old_real = cross_real_[k];
        cross_real_[k] = old_real * turn_real - cross_imag_[k] * turn_imag;
        cross_imag_[k] = old_real * turn_imag + cross_imag_[k] * turn_real;
        const double next = real * step_real - imag * step_imag;
        imag = real * step_imag + imag * step_real;
        real = next;
    }
}

std::optional<double> DelayFinder::process() noexcept {
    filled_ += lines_->new_samples();
    if (filled_ < hop_samples) return std::nullopt;
    filled_ = 0;
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
    if (mean_power(far.last(window_)) < silence_power || mean_power(microphone) < silence_power) return std::nullopt;
    std::fill(time_.begin(), time_.end(), 0.0f);
    std::copy(far.begin(), far.end(), time_.begin());
    fft_.forward(time_, far_real_, far_imag_);
    std::fill(time_.begin(), time_.end(), 0.0f);
    std::copy(microphone.begin(), microphone.end(), time_.begin());
    fft_.forward(time_, microphone_real_, microphone_imag_);
    if (drifted_ != 0.0) move_evidence();
    float mean_far_power = 0.0f;
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        const float real = far_real_[k] * microphone_real_[k] + far_imag_[k] * microphone_imag_[k];
        const float imag = far_imag_[k] * microphone_real_[k] - far_real_[k] * microphone_imag_[k];
        const float power = far_real_[k] * far_real_[k] + far_imag_[k] * far_imag_[k];
        cross_real_[k] = forgetting * cross_real_[k] + (1.0f - forgetting) * real;
        cross_imag_[k] = forgetting * cross_imag_[k] + (1.0f - forgetting) * imag;
        far_power_[k] = forgetting * far_power_[k] + (1.0f - forgetting) * power;
        mean_far_power += far_power_[k] / static_cast<float>(fft_.bins());
    }
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        const float scale = 1.0f / (far_power_[k] + regularisation * mean_far_power);
        far_real_[k] = cross_real_[k] * scale;
        far_imag_[k] = cross_imag_[k] * scale;
    }
    fft_.inverse(far_real_, far_imag_, time_);

    // The microphone's window lies at the end of the far history: position max_lag is delay 0, position 0 max_lag.
    std::size_t best = 0;
    float sum = 0.0f;
    const auto magnitude = [this](std::size_t lag) { return std::abs(time_[max_lag_ - lag]); };
    for (std::size_t lag = 0; lag <= max_lag_; ++lag) {
        sum += magnitude(lag);
        if (magnitude(lag) > magnitude(best)) best = lag;
    }
    const bool sure = magnitude(best) * static_cast<float>(max_lag_ + 1) > sure_ratio * sum;
    const std::size_t apart = best > candidate_ ? best - candidate_ : candidate_ - best;
    agreed_ = sure && apart <= same_samples ? agreed_ + 1 : 0;
    candidate_ = best;
    if (agreed_ < agreements) return std::nullopt;
    return (static_cast<double>(best) + peak_offset(best)) * static_cast<double>(factor_);
}

}  // namespace spike
