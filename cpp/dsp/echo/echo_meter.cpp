#include "dsp/echo/echo_meter.hpp"

#include <algorithm>
#include <cmath>

#include "base/power.hpp"

namespace spike {
namespace {

constexpr float slow_smoothing = 0.99f, recent_smoothing = 0.95f, quick_smoothing = 0.9f;  // of a block of 10 ms
constexpr float loud_power = 1e-7f;                                                        // -70 dBFS
constexpr float works_share = 0.3f;
constexpr float worth_relearning = 0.15f;    // what a model may leave of the microphone before it is relearned
constexpr float most_overprediction = 0.6f;  // of the error, that is echo which is not there
constexpr float suspect_overprediction = 0.4f;
constexpr float converged_db = 6.0f;

void follow(float& mean, float power, float kept) noexcept { mean += (1.0f - kept) * (power - mean); }

float ratio_db(float above, float below) noexcept { return 10.0f * std::log10((above + 1e-12f) / (below + 1e-12f)); }

}  // namespace

// Who talks adds to the predicted echo; a path that has changed makes the prediction wrong, so that the microphone
// holds less of it than was predicted.
void EchoMeter::hear_model(const Block& block) noexcept {
    const float microphone = mean_power(block.microphone), echo = mean_power(block.echo);
    const float alike = mean_product(block.microphone, block.echo);
    follow(state_.quick.microphone, microphone, quick_smoothing);
    follow(state_.quick.error, mean_power(block.error), quick_smoothing);
    follow(state_.quick_echo, echo, quick_smoothing);
    follow(state_.overpredicted, 2.0f * (echo - alike), quick_smoothing);
}

void EchoMeter::hear_result(const Block& block) noexcept {
    follow(state_.recent.microphone, mean_power(block.microphone), recent_smoothing);
    follow(state_.recent.error, mean_power(block.error), recent_smoothing);
    follow(state_.recent_echo, mean_power(block.echo), recent_smoothing);
    follow(state_.explained, mean_product(block.microphone, block.echo), recent_smoothing);
}

void EchoMeter::hear_echo_alone(std::span<const float> microphone, std::span<const float> error,
                                std::span<const float> out) noexcept {
    follow(state_.slow.microphone, mean_power(microphone), slow_smoothing);
    follow(state_.slow.error, mean_power(error), slow_smoothing);
    follow(state_.out, mean_power(out), slow_smoothing);
}

bool EchoMeter::leaves_less_than(float share) const noexcept {
    return state_.recent.error < share * state_.recent.microphone && state_.recent.microphone > loud_power;
}

bool EchoMeter::still_works() const noexcept { return state_.explained > works_share * state_.recent_echo; }

bool EchoMeter::is_loud() const noexcept { return state_.quick.microphone > loud_power; }

float EchoMeter::share_left() const noexcept {
    return std::min(1.0f, state_.quick.error / (state_.quick.microphone + 1e-12f));
}

bool EchoMeter::path_has_changed() const noexcept {
    return state_.quick.microphone >= loud_power && state_.quick.error >= worth_relearning * state_.quick.microphone &&
           state_.overpredicted >= most_overprediction * state_.quick.error;
}

bool EchoMeter::delay_may_have_changed() const noexcept {
    return state_.overpredicted > suspect_overprediction * std::min(2.0f * state_.quick_echo, state_.quick.error);
}

float EchoMeter::erle_db() const noexcept { return ratio_db(state_.slow.microphone, state_.out); }

bool EchoMeter::converged() const noexcept {
    return ratio_db(state_.slow.microphone, state_.slow.error) > converged_db;
}

void EchoMeter::forget_error() noexcept { state_.recent.error = state_.quick.error = state_.overpredicted = 0.0f; }

}  // namespace spike
