#include "media/voice_gate.hpp"

#include <algorithm>
#include <stdexcept>

namespace spike {
namespace {

constexpr float fade_ms = 5.0f;

}  // namespace

VoiceGate::VoiceGate(VoiceReceiver& voice, int sample_rate_hz, std::size_t kept_samples)
    : voice_(voice), samples_per_ms_(static_cast<float>(sample_rate_hz) / 1000.0f), played_(kept_samples) {}

void VoiceGate::set_volume(float volume) {
    if (!(volume >= 0.0f && volume <= 1.0f)) throw std::invalid_argument("volume must be from 0 to 1");
    volume_.store(volume, std::memory_order_relaxed);
}

void VoiceGate::pull(std::span<float> out, Ring* tee) noexcept {
    if (paused()) {
        rest(out);
    } else {
        voice_.pull(out);
        shape(out);
    }
    if (!out.empty()) last_ = out.back();
    played_.push(out);
    if (tee) tee->push(out);
}

void VoiceGate::shape(std::span<float> out) noexcept {
    if (flushed_.exchange(false, std::memory_order_relaxed)) {
        const double waiting_ms = std::max(0.0, voice_.heard().stats.delay_ms);
        unheard_ = static_cast<std::size_t>((waiting_ms + fade_ms) * samples_per_ms_);
    }
    const float target = held() || unheard_ > 0 ? 0.0f : volume();
    unheard_ -= std::min(unheard_, out.size());
    if (gain_ != 1.0f || target != 1.0f) fade(out, target);
}

void VoiceGate::rest(std::span<float> out) noexcept {
    const float step = 1.0f / (fade_ms * samples_per_ms_);
    float gain = last_ == 0.0f ? 0.0f : 1.0f;
    for (float& sample : out) {
        gain = std::max(0.0f, gain - step);
        sample = gain * last_;
    }
    gain_ = 0.0f;  // it comes back without a click
}

void VoiceGate::fade(std::span<float> out, float target) noexcept {
    const float step = 1.0f / (fade_ms * samples_per_ms_);
    for (float& sample : out) {
        gain_ = target > gain_ ? std::min(target, gain_ + step) : std::max(target, gain_ - step);
        sample *= gain_;
    }
}

}  // namespace spike
