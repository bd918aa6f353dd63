// Lets a stage that works in frames of 10 ms be called with any number of samples, at any rate.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "convert/samples.hpp"
#include "pipeline/rate_bridge.hpp"

namespace spike {

// Collects samples until a frame is full, runs the stage on it and hands out what it made. Holds at most one frame, so
// that the stream that leaves does not depend on how the stream that enters is cut. Where the stage works at another
// rate than the stream has, resamplers stand before and behind it.
class Framer {
  public:
    // Frames of `streams` streams in step, and of the channels of a far end. The stage works at stage_rate_hz(rate_hz).
    Framer(int rate_hz, std::size_t streams, std::size_t far_channels)
        : frame_(static_cast<std::size_t>(stage_rate_hz(rate_hz)) / 100),
          streams_(streams),
          channels_(far_channels),
          near_(streams * frame_),
          far_(far_channels * frame_) {
        if (stage_rate_hz(rate_hz) == rate_hz) return;
        bridge_.emplace(rate_hz, streams, far_channels);
        // A chunk is as long as a frame, and that of a lower rate is more than one of the stage's.
        outer_.resize(std::max<std::size_t>(1, far_channels) * frame_);
        inner_.resize(streams * inner_width());
        inner_far_.resize(far_channels * inner_width());
    }

    void reset() noexcept {
        filled_ = 0;
        taken_ = 0;
        if (bridge_) bridge_->reset();
    }

    // How many samples of a stream a call with `count` returns.
    std::size_t due(std::size_t count) const noexcept {
        if (!bridge_) return (filled_ + count) / frame_ * frame_;
        return static_cast<std::size_t>(left_after(taken_ + count) - left_after(taken_));
    }

    std::size_t latency_samples(std::size_t stage_latency) const noexcept {
        return bridge_ ? bridge_->latency_samples(stage_latency) : stage_latency;
    }

    // `near` and `out`: `count` and `due(count)` samples of a stream, then those of the next. `far`: interleaved, or
    // nullptr for silence. `process` takes (near, far, out) spans of one frame.
    template <typename Sample, typename Process>
    void run(const Sample* near, const Sample* far, std::size_t count, Sample* out, Process&& process) noexcept {
        const std::size_t all = due(count);
        collect(near, far, count, [&] {
            process(std::span<const float>(near_), std::span<const float>(far_), std::span<float>(near_));
            std::size_t made = frame_;
            for (std::size_t stream = 0; stream < streams_; ++stream) {
                std::span<float> frame = std::span(near_).subspan(stream * frame_, frame_);
                if (bridge_) {
                    made = bridge_->leave(stream, frame, outer_);
                    frame = std::span(outer_).first(made);
                }
                std::ranges::transform(frame, out + stream * all,
                                       [](float sample) { return from_float<Sample>(sample); });
            }
            out += made;
        });
    }

    // The same for a stage that only listens.
    template <typename Sample, typename Process>
    void consume(const Sample* near, std::size_t count, Process&& process) noexcept {
        collect(near, static_cast<const Sample*>(nullptr), count, [&] { process(std::span<const float>(near_)); });
    }

  private:
    std::size_t inner_width() const noexcept { return 2 * frame_; }

    std::uint64_t left_after(std::uint64_t taken) const noexcept {
        return bridge_->left(bridge_->entered(taken) / frame_ * frame_);
    }

    template <typename Sample, typename Whole>
    void collect(const Sample* near, const Sample* far, std::size_t count, Whole&& whole) noexcept {
        taken_ += count;
        if (bridge_) return collect_bridged(near, far, count, whole);
        for (std::size_t read = 0; read < count;) {
            const std::size_t now = std::min(count - read, frame_ - filled_);
            for (std::size_t stream = 0; stream < streams_; ++stream)
                std::transform(near + stream * count + read, near + stream * count + read + now,
                               near_.data() + stream * frame_ + filled_,
                               [](Sample sample) { return to_float(sample); });
            for (std::size_t channel = 0; channel < channels_; ++channel)
                for (std::size_t n = 0; n < now; ++n)
                    far_[channel * frame_ + filled_ + n] = far ? to_float(far[(read + n) * channels_ + channel]) : 0.0f;
            read += now;
            filled_ = (filled_ + now) % frame_;
            if (filled_ == 0) whole();
        }
    }

    template <typename Sample, typename Whole>
    void collect_bridged(const Sample* near, const Sample* far, std::size_t count, Whole&& whole) noexcept {
        const auto as_float = [](Sample sample) { return to_float(sample); };
        for (std::size_t read = 0, now = 0; read < count; read += now) {
            now = std::min(count - read, frame_ / 2);
            std::size_t made = 0;
            for (std::size_t stream = 0; stream < streams_; ++stream) {
                std::transform(near + stream * count + read, near + stream * count + read + now, outer_.begin(),
                               as_float);
                made = bridge_->enter(stream, std::span(outer_).first(now),
                                      std::span(inner_).subspan(stream * inner_width()));
            }
            if (channels_ > 0) {
                std::fill_n(outer_.begin(), now * channels_, 0.0f);
                if (far)
                    std::transform(far + read * channels_, far + (read + now) * channels_, outer_.begin(), as_float);
                bridge_->enter_far(std::span(outer_).first(now * channels_), inner_far_.data(), inner_width());
            }
            fill_frames(made, whole);
        }
    }

    // `made` samples of the stage's rate go into frames.
    template <typename Whole>
    void fill_frames(std::size_t made, Whole&& whole) noexcept {
        for (std::size_t at = 0, now = 0; at < made; at += now) {
            now = std::min(made - at, frame_ - filled_);
            for (std::size_t stream = 0; stream < streams_; ++stream)
                std::copy_n(inner_.data() + stream * inner_width() + at, now, near_.data() + stream * frame_ + filled_);
            for (std::size_t channel = 0; channel < channels_; ++channel)
                std::copy_n(inner_far_.data() + channel * inner_width() + at, now,
                            far_.data() + channel * frame_ + filled_);
            filled_ = (filled_ + now) % frame_;
            if (filled_ == 0) whole();
        }
    }

    std::size_t frame_, streams_, channels_;
    std::size_t filled_ = 0;
    std::uint64_t taken_ = 0;  // samples of a stream
    std::vector<float> near_, far_;
    std::optional<RateBridge> bridge_;
    std::vector<float> outer_, inner_, inner_far_;  // a chunk at the stream's rate and at the stage's
};

}  // namespace spike
