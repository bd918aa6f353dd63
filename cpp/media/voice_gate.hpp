// Between a voice and who plays it: shut and opened without a click, and what was played kept for who wants to know.
#pragma once

#include <atomic>
#include <cstddef>
#include <span>

#include "base/ring.hpp"
#include "media/voice_receiver.hpp"

namespace spike {

// Contract: one thread pulls, and may be a real-time thread; one reads `played`; any may do the rest.
class VoiceGate {
  public:
    // `voice` outlives the gate; nobody else pulls it. Throws std::invalid_argument for a capacity of 0.
    VoiceGate(VoiceReceiver& voice, int sample_rate_hz, std::size_t kept_samples);

    // Fills `out` with what is to be heard now, and queues the same in `played` and, unless it is null, in `tee`.
    void pull(std::span<float> out, Ring* tee) noexcept;

    // While held, the voice goes on unheard.
    void hold(bool held) noexcept { held_.store(held, std::memory_order_relaxed); }
    bool held() const noexcept { return held_.load(std::memory_order_relaxed); }

    // While paused, the voice waits: what comes is heard afterwards.
    void pause(bool paused) noexcept { paused_.store(paused, std::memory_order_relaxed); }
    bool paused() const noexcept { return paused_.load(std::memory_order_relaxed); }

    // 1 lets the voice through as it came, 0 is silence; throws std::invalid_argument for anything outside.
    void set_volume(float volume);
    float volume() const noexcept { return volume_.load(std::memory_order_relaxed); }

    // Nothing that has come up to now is heard any more.
    void flush() noexcept { flushed_.store(true, std::memory_order_relaxed); }

    Ring& played() noexcept { return played_; }

  private:
    void fade(std::span<float> out, float target) noexcept;
    void shape(std::span<float> out) noexcept;
    void rest(std::span<float> out) noexcept;

    VoiceReceiver& voice_;
    float samples_per_ms_;
    Ring played_;
    std::atomic<bool> held_{false}, flushed_{false}, paused_{false};
    std::atomic<float> volume_{1.0f};
    std::size_t unheard_ = 0;  // samples that a flush has still to swallow
    float gain_ = 1.0f;
    float last_ = 0.0f;  // sample that was heard
};

}  // namespace spike
