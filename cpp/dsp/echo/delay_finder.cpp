#include "dsp/echo/delay_finder.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace spike {
namespace {

constexpr int decimated_rate_hz = 4000;
constexpr std::size_t hop_samples = 320;  // 80 ms between two correlations
constexpr float forgetting = 0.8f;        // of the averaged spectra, a hop: about 0.4 s
constexpr float sure_ratio = 8.0f;        // peak over the mean magnitude of all lags
constexpr float regularisation = 0.03f;   // of the mean far power: bins that the far end does not excite say nothing
constexpr int agreements = 2;             // correlations in a row that must repeat a peak
constexpr std::size_t same_samples = 6;   // 1.5 ms: two peaks this near are one
constexpr float silence_power = 1e-6f;

// The next even size that the FFT is quick at.
std::size_t fft_size_from(std::size_t least) {
    const auto rest_of = [](std::size_t size) {
        for (const std::size_t factor : {2u, 3u, 5u})
            while (size % factor == 0) size /= factor;
        return size;
    };
    std::size_t size = least + least % 2;
    while (rest_of(size) != 1) size += 2;
    return size;
}

float mean_power_of(std::span<const float> samples) noexcept {
    float sum = 0.0f;
    for (const float sample : samples) sum += sample * sample;
    return sum / static_cast<float>(samples.size());
}

}  // namespace

DelayFinder::Decimator::Decimator(std::size_t factor) : factor_(factor), taps_(8 * factor), history_(8 * factor) {
    const auto length = static_cast<double>(taps_.size());
    const double cutoff = 0.4 / static_cast<double>(factor);  // of the sampling rate: leaves room for the short filter
    double sum = 0.0;
    for (std::size_t n = 0; n < taps_.size(); ++n) {
        const double t = static_cast<double>(n) - (length - 1.0) / 2.0;
        const double x = 2.0 * std::numbers::pi * cutoff * t;
        const double sinc = std::abs(x) < 1e-9 ? 1.0 : std::sin(x) / x;
        const double hann = 0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * (static_cast<double>(n) + 0.5) / length);
        taps_[n] = static_cast<float>(sinc * hann);
        sum += sinc * hann;
    }
    for (float& tap : taps_) tap /= static_cast<float>(sum);
}

std::size_t DelayFinder::Decimator::process(std::span<const float> samples, std::span<float> kept) noexcept {
    std::size_t count = 0;
    for (const float sample : samples) {
        history_[at_] = sample;
        at_ = (at_ + 1) % history_.size();
        if (++phase_ < factor_) continue;
        phase_ = 0;
        float sum = 0.0f;
        const std::size_t tail = history_.size() - at_;
        for (std::size_t n = 0; n < tail; ++n) sum += taps_[n] * history_[at_ + n];
        for (std::size_t n = 0; n < at_; ++n) sum += taps_[tail + n] * history_[n];
        kept[count++] = sum;
    }
    return count;
}

void DelayFinder::Decimator::reset() noexcept {
    std::fill(history_.begin(), history_.end(), 0.0f);
    phase_ = at_ = 0;
}

DelayFinder::DelayFinder(const Config& config)
    : factor_(static_cast<std::size_t>(std::max(1, config.sample_rate_hz / decimated_rate_hz))),
      window_(hop_samples),
      max_lag_(config.max_delay_ms * static_cast<std::size_t>(config.sample_rate_hz) / factor_ / 1000),
      fft_(fft_size_from(2 * hop_samples + max_lag_)),
      microphone_decimator_(factor_),
      far_decimator_(factor_),
      kept_(static_cast<std::size_t>(config.sample_rate_hz) / 100 / factor_ + 2),
      microphone_(window_),
      far_(window_ + max_lag_),
      time_(fft_.size()) {
    for (auto* spectrum :
         {&far_real_, &far_imag_, &microphone_real_, &microphone_imag_, &cross_real_, &cross_imag_, &far_power_})
        spectrum->resize(fft_.bins());
}

void DelayFinder::reset() noexcept {
    microphone_decimator_.reset();
    far_decimator_.reset();
    for (auto* buffer : {&microphone_, &far_, &cross_real_, &cross_imag_, &far_power_})
        std::fill(buffer->begin(), buffer->end(), 0.0f);
    filled_ = 0;
    drifted_ = 0.0;
    candidate_ = 0;
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

std::optional<double> DelayFinder::process(std::span<const float> microphone, std::span<const float> far) noexcept {
    const auto append = [this](Decimator& decimator, std::span<const float> samples, std::vector<float>& history) {
        const std::size_t count = decimator.process(samples, kept_);
        std::move(history.begin() + static_cast<std::ptrdiff_t>(count), history.end(), history.begin());
        std::copy_n(kept_.begin(), count, history.end() - static_cast<std::ptrdiff_t>(count));
        return count;
    };
    append(far_decimator_, far, far_);
    filled_ += append(microphone_decimator_, microphone, microphone_);
    if (filled_ < hop_samples) return std::nullopt;
    filled_ = 0;
    return correlate();
}

double DelayFinder::peak_offset(std::size_t lag) const noexcept {
    if (lag == 0 || lag >= max_lag_) return 0.0;
    const float sign = time_[max_lag_ - lag] < 0.0f ? -1.0f : 1.0f;
    const float before = sign * time_[max_lag_ - lag + 1], here = sign * time_[max_lag_ - lag],
                after = sign * time_[max_lag_ - lag - 1];
    const float curvature = before - 2.0f * here + after;
    return curvature < 0.0f ? std::clamp(0.5 * (before - after) / curvature, -0.5, 0.5) : 0.0;
}

std::optional<double> DelayFinder::correlate() noexcept {
    // While the far end is silent there is nothing to learn, and a near end that talks would be taken for a late echo.
    const auto recent_far = std::span(far_).last(window_);
    if (mean_power_of(recent_far) < silence_power || mean_power_of(microphone_) < silence_power) return std::nullopt;
    std::fill(time_.begin(), time_.end(), 0.0f);
    std::copy(far_.begin(), far_.end(), time_.begin());
    fft_.forward(time_, far_real_, far_imag_);
    std::fill(time_.begin(), time_.end(), 0.0f);
    std::copy(microphone_.begin(), microphone_.end(), time_.begin());
    fft_.forward(time_, microphone_real_, microphone_imag_);
    if (drifted_ != 0.0) move_evidence();
    float mean_power = 0.0f;
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        const float real = far_real_[k] * microphone_real_[k] + far_imag_[k] * microphone_imag_[k];
        const float imag = far_imag_[k] * microphone_real_[k] - far_real_[k] * microphone_imag_[k];
        const float power = far_real_[k] * far_real_[k] + far_imag_[k] * far_imag_[k];
        cross_real_[k] = forgetting * cross_real_[k] + (1.0f - forgetting) * real;
        cross_imag_[k] = forgetting * cross_imag_[k] + (1.0f - forgetting) * imag;
        far_power_[k] = forgetting * far_power_[k] + (1.0f - forgetting) * power;
        mean_power += far_power_[k] / static_cast<float>(fft_.bins());
    }
    for (std::size_t k = 0; k < fft_.bins(); ++k) {
        const float scale = 1.0f / (far_power_[k] + regularisation * mean_power);
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
