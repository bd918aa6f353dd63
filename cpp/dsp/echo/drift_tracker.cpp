#include "dsp/echo/drift_tracker.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace spike {
namespace {

constexpr int blocks_per_step = 10;
constexpr double loop_gain = 0.15;
constexpr double least_information = 20.0;  // of the delay that a step goes by
constexpr double coarse_drift = 150e-6;     // what the loop is left to find by itself
constexpr double worth_undoing = 10e-6;
constexpr double most_drift = 5e-3;

}  // namespace

DriftTracker::DriftTracker(std::size_t block_samples)
    : from_(200 / 50),
      to_(std::min(block_samples, static_cast<std::size_t>(6000 / 50))),
      radians_per_bin_(std::numbers::pi_v<float> / static_cast<float>(block_samples)),
      block_samples_(static_cast<double>(block_samples)) {}

void DriftTracker::observe(double growth) noexcept {
    if (std::abs(-growth - state_.drift) < coarse_drift) return;
    state_.drift = std::clamp(-growth, -most_drift, most_drift);
    state_.engaged = true;
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
