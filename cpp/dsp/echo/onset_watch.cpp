#include "dsp/echo/onset_watch.hpp"

#include <algorithm>

namespace spike {
namespace {

constexpr float heard_power = 1e-7f;  // -70 dBFS
constexpr float clearly_louder = 10.0f, quietest_rise = 1.01f;
constexpr float far_smoothing = 0.7f;
constexpr float begins_anew = 16.0f;  // times as loud as it was: what was played before may have been too soft to hear
constexpr int blocks_of_silence = 20, most_silent_blocks = 140;

}  // namespace

void OnsetWatch::hear(float microphone, float far) noexcept {
    state_.far += (1.0f - far_smoothing) * (far - state_.far);
    ++state_.blocks_since_far;
    state_.silent_blocks = state_.far > heard_power ? 0 : std::min(state_.silent_blocks + 1, most_silent_blocks);
    if (state_.silent_blocks == most_silent_blocks) state_.begun = 0.0f;
    if (state_.far > std::max(heard_power, begins_anew * state_.begun)) {
        state_.begun = state_.far;
        state_.blocks_since_far = 0;
    }
    state_.quietest = state_.quietest > 0.0f ? std::min(quietest_rise * state_.quietest, microphone) : microphone;
    const bool loud = microphone > std::max(heard_power, clearly_louder * state_.quietest);
    state_.begins = loud && state_.quiet_blocks >= blocks_of_silence;
    state_.quiet_blocks = loud ? 0 : state_.quiet_blocks + 1;
    state_.is_loud = loud && state_.begun > 0.0f;
}

std::optional<std::size_t> OnsetWatch::lateness() const noexcept {
    if (!state_.begins || !state_.is_loud) return std::nullopt;
    return state_.blocks_since_far;
}

}  // namespace spike
