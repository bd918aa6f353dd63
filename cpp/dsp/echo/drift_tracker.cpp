#include "dsp/echo/drift_tracker.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace spike {
namespace {

constexpr int blocks_per_step = 10;
constexpr double loop_gain = 0.15;
constexpr double least_information = 20.0;  // of the delay that a step goes by
constexpr double coarse_drift = 250e-6;     // what the loop is left to find by itself
constexpr double sure_deviations = 4.0;
constexpr double straightness = 0.5;  // how far the slopes of a line's halves may differ from its own
constexpr double worth_undoing = 10e-6;
constexpr double most_drift = 5e-3;

}  // namespace

DriftTracker::DriftTracker(std::size_t block_samples, int sample_rate_hz)
    : from_(200 / 50),
      to_(std::min(block_samples, static_cast<std::size_t>(6000 / 50))),
      radians_per_bin_(std::numbers::pi_v<float> / static_cast<float>(block_samples)),
      block_samples_(static_cast<double>(block_samples)),
      rate_hz_(sample_rate_hz) {}

void DriftTracker::reset() noexcept {
    late_ = information_ = drift_ = 0.0;
    engaged_ = false;
    blocks_ = 0;
    seen_ = 0;
}

void DriftTracker::observe_delay(double moment, double delay) noexcept {
    const double previous = delays_[(seen_ + run - 1) % run];
    const double most_step = 0.001 * rate_hz_;
    if (seen_ > 0 && std::abs(delay - previous) > most_step) seen_ = 0;
    moments_[seen_ % run] = moment;
    delays_[seen_ % run] = delay;
    if (++seen_ < run) return;
    const Line whole = line(0, run), before = line(0, run / 2), after = line(run / 2, run / 2);
    // A step, of a path that has changed, is not a slope: its halves are flat.
    const double most = std::max(coarse_drift, straightness * std::abs(whole.slope));
    const bool straight = std::abs(before.slope - whole.slope) < most && std::abs(after.slope - whole.slope) < most;
    if (straight && std::abs(-whole.slope - drift_) > std::max(coarse_drift, sure_deviations * whole.deviation))
        drift_ = std::clamp(-whole.slope, -most_drift, most_drift);
}

DriftTracker::Line DriftTracker::line(std::size_t first, std::size_t count) const noexcept {
    double mean_moment = 0.0, mean_delay = 0.0, spread = 0.0, slope = 0.0, misfit = 0.0;
    const auto at = [&](std::size_t i) { return (seen_ + first + i) % run; };
    for (std::size_t i = 0; i < count; ++i) {
        mean_moment += moments_[at(i)] / count;
        mean_delay += delays_[at(i)] / count;
    }
    for (std::size_t i = 0; i < count; ++i) {
        spread += (moments_[at(i)] - mean_moment) * (moments_[at(i)] - mean_moment);
        slope += (moments_[at(i)] - mean_moment) * (delays_[at(i)] - mean_delay);
    }
    slope /= spread;
    for (std::size_t i = 0; i < count; ++i) {
        const double off = delays_[at(i)] - mean_delay - slope * (moments_[at(i)] - mean_moment);
        misfit += off * off / count;
    }
    return {slope, std::sqrt(misfit / spread)};
}

void DriftTracker::process(std::span<const float> error_real, std::span<const float> error_imag,
                           std::span<const float> echo_real, std::span<const float> echo_imag, bool trusted) noexcept {
    float late = 0.0f, information = 0.0f;
    for (std::size_t k = from_; k < to_; ++k) {
        const float omega = radians_per_bin_ * static_cast<float>(k);
        const float error = error_real[k] * error_real[k] + error_imag[k] * error_imag[k];
        const float echo = echo_real[k] * echo_real[k] + echo_imag[k] * echo_imag[k];
        const float weight = 1.0f / (error + 0.01f * echo + 1e-7f);
        // An echo that is late by t samples leaves -j * omega * t times the prediction.
        late -= weight * omega * (echo_real[k] * error_imag[k] - echo_imag[k] * error_real[k]);
        information += weight * omega * omega * echo;
    }
    if (!trusted) return;
    late_ += late;
    information_ += information;
    if (++blocks_ == blocks_per_step) follow();
}

void DriftTracker::follow() noexcept {
    if (information_ > least_information) {
        const double late = std::clamp(late_ / information_, -0.5, 0.5);  // samples
        drift_ = std::clamp(drift_ - loop_gain * late / (blocks_per_step * block_samples_), -most_drift, most_drift);
    }
    engaged_ = engaged_ || std::abs(drift_) > worth_undoing;
    late_ = information_ = 0.0;
    blocks_ = 0;
}

}  // namespace spike
