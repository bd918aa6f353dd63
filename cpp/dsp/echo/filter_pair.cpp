#include "dsp/echo/filter_pair.hpp"

#include <algorithm>
#include <utility>

#include "base/power.hpp"

namespace spike {
namespace {

constexpr float sure_transition = 0.9999f, quick_transition = 0.997f;
constexpr float quick_uncertainty = 0.005f;
constexpr float race_smoothing = 0.95f;  // of the powers by which one filter takes over from the other
constexpr float quick_wins = 0.7f, sure_wins = 0.5f;
constexpr float doubt_of_memory = 0.1f;
constexpr float heard_power = 1e-7f;  // -70 dBFS
constexpr float muted_share = 1e-3f;  // of the predicted echo, that a microphone hears at least
constexpr int blocks_of_a_mute = 20, most_blocks_on_trial = 30;
constexpr float proven_share = 0.4f;  // of the microphone's power, that a model leaves at most
constexpr int blocks_of_proof = 5;
constexpr float impossible_echo = 4.0f;  // times the most that there can be
constexpr float clearly_less = 0.3f;
constexpr float most_return = 2000.0f, worth_a_change = 20.0f;  // times the power of the far end
constexpr int blocks_between_relearnings = 40;
constexpr int blocks_between_memories = 50;

}  // namespace

FilterPair::FilterPair(const FarSpectra& far)
    : sure_(far, {.transition = sure_transition}),
      quick_(far, {.transition = quick_transition, .constrained_per_block = 2, .least_uncertainty = quick_uncertainty}),
      old_(far),
      older_(far) {
    for (auto* buffer : {&error_, &echo_, &quick_error_, &quick_echo_}) buffer->resize(far.block_samples());
}

void FilterPair::process(const Block& block) noexcept {
    state_.most_echo = block.most_echo;
    state_.is_none = block.is_none;
    sure_.predict(block.microphone, error_, echo_);
    quick_.predict(block.microphone, quick_error_, quick_echo_);
    freeze_or_learn(block);
    if (!state_.is_frozen) {
        follow_proof(block.microphone);
        return;
    }
    pass(block.microphone, error_, echo_);
    pass(block.microphone, quick_error_, quick_echo_);
}

void FilterPair::freeze_or_learn(const Block& block) noexcept {
    const float predicted = mean_power(echo_), heard = mean_power(block.microphone);
    const bool is_muted = state_.memories > 0 && predicted > heard_power && heard < muted_share * predicted;
    state_.is_frozen = block.is_deaf || is_muted;
    state_.frozen_blocks = state_.is_frozen ? state_.frozen_blocks + 1 : 0;
    if (state_.frozen_blocks >= blocks_of_a_mute && state_.memories > 0) {
        state_.is_on_trial = true;
        state_.blocks_on_trial = 0;
    }
    if (state_.is_frozen) return;
    if (!state_.is_on_trial && predicted > impossible_echo * block.most_echo) {
        sure_.model().forget();
        pass(block.microphone, error_, echo_);
    }
    sure_.learn(block.microphone, error_, echo_);
    quick_.learn(block.microphone, quick_error_, quick_echo_);
}

// Both filters' powers against the microphone's; a model on trial is acquitted or forgotten.
void FilterPair::follow_proof(std::span<const float> microphone) noexcept {
    const auto follow = [](float& mean, float power) {
        mean = race_smoothing * mean + (1.0f - race_smoothing) * power;
    };
    follow(state_.sure_power, mean_power(error_));
    follow(state_.quick_power, mean_power(quick_error_));
    follow(state_.microphone_power, mean_power(microphone));
    const float left = std::min(state_.sure_power, state_.quick_power);
    const bool is_proof = left < proven_share * state_.microphone_power && state_.microphone_power > heard_power;
    state_.proofs = is_proof ? state_.proofs + 1 : 0;
    if (!state_.is_on_trial) return;
    if (is_proof) {
        state_.is_on_trial = false;
    } else if (mean_power(echo_) > heard_power && ++state_.blocks_on_trial > most_blocks_on_trial) {
        state_.is_on_trial = false;
        for (auto* filter : {&sure_, &quick_}) filter->model().forget();
        state_.sure_power = state_.quick_power = state_.microphone_power;
    }
}

bool FilterPair::is_proven() const noexcept { return state_.proofs >= blocks_of_proof; }

void FilterPair::pass(std::span<const float> microphone, std::span<float> error, std::span<float> echo) noexcept {
    std::ranges::copy(microphone, error.begin());
    std::ranges::fill(echo, 0.0f);
}

void FilterPair::allow(std::size_t begin, std::size_t end, float times) noexcept {
    if (begin == end) return;
    const float factor = std::min(times, most_return) / quick_.model().expected(begin);
    if (factor > worth_a_change) quick_.model().expect_more(begin, end, factor);
}

void FilterPair::start_anew() noexcept {
    expect(1.0f);
    for (auto* filter : {&sure_, &quick_}) filter->model().forget_certainty();
}

void FilterPair::remember() noexcept {
    if (state_.is_frozen || state_.is_on_trial) return;
    if (++state_.blocks_since_memory < blocks_between_memories) return;
    state_.blocks_since_memory = 0;
    ++state_.memories;
    older_ = old_;
    old_ = sure_.model();
}

void FilterPair::relearn(bool has_changed) noexcept {
    if (++state_.blocks_since_relearning < blocks_between_relearnings || !has_changed || state_.is_frozen) return;
    state_.blocks_since_relearning = 0;
    quick_.model().forget_certainty();
}

void FilterPair::race(std::span<const float> microphone) noexcept {
    if (state_.is_frozen) return;
    if (state_.quick_power < quick_wins * state_.sure_power) {
        sure_.model() = quick_.model();
        state_.sure_power = state_.quick_power;
    } else if (state_.sure_power < sure_wins * state_.quick_power) {
        quick_.model() = sure_.model();
        state_.quick_power = state_.sure_power;
    }
    if (quick_is_believed()) {
        std::swap(error_, quick_error_);
        std::swap(echo_, quick_echo_);
    }
    if (state_.is_on_trial || state_.is_none) pass(microphone, error_, echo_);
}

// What predicts more echo than there can be has to be much better.
bool FilterPair::quick_is_believed() const noexcept {
    if (state_.is_frozen || state_.quick_power >= state_.sure_power) return false;
    return state_.quick_power < clearly_less * state_.sure_power ||
           mean_power(quick_echo_) < impossible_echo * state_.most_echo;
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
    for (auto* memory : {&old_, &older_}) memory->reset();
    state_ = {};
}

}  // namespace spike
