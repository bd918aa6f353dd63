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

void DriftTracker::observe_delay(double moment, double delay) noexcept {
    const double previous = state_.delays[(state_.seen + run - 1) % run];
    const double most_step = 0.001 * rate_hz_;
    if (state_.seen > 0 && std::abs(delay - previous) > most_step) state_.seen = 0;
    state_.moments[state_.seen % run] = moment;
    state_.delays[state_.seen % run] = delay;
    if (++state_.seen < run) return;
    const Line whole = line(0, run), before = line(0, run / 2), after = line(run / 2, run / 2);
    // A step, of a path that has changed, is not a slope: its halves are flat.
    const double most = std::max(coarse_drift, straightness * std::abs(whole.slope));
    const bool straight = std::abs(before.slope - whole.slope) < most && std::abs(after.slope - whole.slope) < most;
    if (straight && std::abs(-whole.slope - state_.drift) > std::max(coarse_drift, sure_deviations * whole.deviation))
        state_.drift = std::clamp(-whole.slope, -most_drift, most_drift);
}

DriftTracker::Line DriftTracker::line(std::size_t first, std::size_t count) const noexcept {
    double mean_moment = 0.0, mean_delay = 0.0, spread = 0.0, slope = 0.0, misfit = 0.0;
    const auto total = static_cast<double>(count);
    const auto at = [&](std::size_t i) { return (state_.seen + first + i) % run; };
    for (std::size_t i = 0; i < count; ++i) {
        mean_moment += state_.moments[at(i)] / total;
        mean_delay += state_.delays[at(i)] / total;
    }
    for (std::size_t i = 0; i < count; ++i) {
        spread += (state_.moments[at(i)] - mean_moment) * (state_.moments[at(i)] - mean_moment);
        slope += (state_.moments[at(i)] - mean_moment) * (state_.delays[at(i)] - mean_delay);
    }
    slope /= spread;
    for (std::size_t i = 0; i < count; ++i) {
        const double off = state_.delays[at(i)] - mean_delay - slope * (state_.moments[at(i)] - mean_moment);
        misfit += off * off / total;
    }
    return {slope, std::sqrt(misfit / spread)};
}

void DriftTracker::process(SpectrumView error, SpectrumView echo, bool trusted) noexcept {
    float late = 0.0f, information = 0.0f;
    for (std::size_t k = from_; k < to_; ++k) {
        const float omega = radians_per_bin_ * static_cast<float>(k);
        const float echo_power = echo.power(k);
        const float weight = 1.0f / (error.power(k) + 0.01f * echo_power + 1e-7f);
        // An echo that is late by t samples leaves -j * omega * t times the prediction.
        late -= weight * omega * (echo.real[k] * error.imag[k] - echo.imag[k] * error.real[k]);
        information += weight * omega * omega * echo_power;
    }
    if (!trusted) return;
    state_.late += late;
    state_.information += information;
    if (++state_.blocks == blocks_per_step) follow();
}

void DriftTracker::follow() noexcept {
    if (state_.information > least_information) {
        const double late = std::clamp(state_.late / state_.information, -0.5, 0.5);  // samples
        state_.drift =
            std::clamp(state_.drift - loop_gain * late / (blocks_per_step * block_samples_), -most_drift, most_drift);
    }
    state_.engaged = state_.engaged || std::abs(state_.drift) > worth_undoing;
    state_.late = state_.information = 0.0;
    state_.blocks = 0;
}

}  // namespace spike
