#include "dsp/echo/filter_pair.hpp"

#include <utility>

#include "base/power.hpp"

namespace spike {
namespace {

constexpr float sure_transition = 0.9999f, quick_transition = 0.997f;
constexpr float race_smoothing = 0.95f;  // of the powers by which one filter takes over from the other
constexpr float quick_wins = 0.7f, sure_wins = 0.5f;
constexpr float doubt_of_memory = 0.1f;
constexpr int blocks_between_relearnings = 40;
constexpr int blocks_between_memories = 50;

}  // namespace

FilterPair::FilterPair(const FarSpectra& far)
    : sure_(far, {.transition = sure_transition}),
      quick_(far, {.transition = quick_transition, .constrained_per_block = 2}),
      old_(far),
      older_(far) {
    for (auto* buffer : {&error_, &echo_, &quick_error_, &quick_echo_}) buffer->resize(far.block_samples());
}

void FilterPair::process(std::span<const float> microphone) noexcept {
    sure_.process(microphone, error_, echo_);
    quick_.process(microphone, quick_error_, quick_echo_);
    state_.sure_power = race_smoothing * state_.sure_power + (1.0f - race_smoothing) * mean_power(error_);
    state_.quick_power = race_smoothing * state_.quick_power + (1.0f - race_smoothing) * mean_power(quick_error_);
}

void FilterPair::remember() noexcept {
    if (++state_.blocks_since_memory < blocks_between_memories) return;
    state_.blocks_since_memory = 0;
    ++state_.memories;
    older_ = old_;
    old_ = sure_.model();
}

void FilterPair::relearn(bool has_changed) noexcept {
    if (++state_.blocks_since_relearning < blocks_between_relearnings || !has_changed) return;
    state_.blocks_since_relearning = 0;
    quick_.model().forget_certainty();
}

void FilterPair::race() noexcept {
    if (state_.quick_power < quick_wins * state_.sure_power) {
        sure_.model() = quick_.model();
        state_.sure_power = state_.quick_power;
    } else if (state_.sure_power < sure_wins * state_.quick_power) {
        quick_.model() = sure_.model();
        state_.quick_power = state_.sure_power;
    }
    if (state_.quick_power < state_.sure_power) {
        std::swap(error_, quick_error_);
        std::swap(echo_, quick_echo_);
    }
}

void FilterPair::recall() noexcept {
    for (auto* filter : {&sure_, &quick_}) {
        filter->model() = older_;
        filter->model().doubt(doubt_of_memory);
    }
}

void FilterPair::forget_since_memory() noexcept {
    old_ = older_;
    state_.sure_power = state_.quick_power = 0.0f;
}

void FilterPair::shift(std::ptrdiff_t blocks) noexcept {
    for (auto* model : {&sure_.model(), &quick_.model(), &old_, &older_}) model->shift(blocks);
}

void FilterPair::reset() noexcept {
    for (auto* filter : {&sure_, &quick_}) filter->reset();
    for (auto* memory : {&old_, &older_}) memory->forget();
    state_ = {};
}

}  // namespace spike
