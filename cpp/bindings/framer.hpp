// Lets a stage that works in frames be called with any number of samples.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "convert/samples.hpp"

namespace spike::bindings {

// Collects samples until a frame is full, runs the stage on it and hands out what it made. Holds at most one frame, so
// that the stream that leaves does not depend on how the stream that enters is cut.
class Framer {
  public:
    // Frames of `streams` streams in step, and of the channels of a far end.
    Framer(std::size_t frame_samples, std::size_t streams, std::size_t far_channels)
        : frame_(frame_samples),
          streams_(streams),
          channels_(far_channels),
          near_(streams * frame_samples),
          far_(far_channels * frame_samples) {}

    void reset() noexcept { filled_ = 0; }

    // How many samples of a stream a call with `count` returns.
    std::size_t due(std::size_t count) const noexcept { return (filled_ + count) / frame_ * frame_; }

    // `near` and `out`: `count` and `due(count)` samples of a stream, then those of the next. `far`: interleaved, or
    // nullptr for silence. `process` takes (near, far, out) spans of one frame.
    template <typename Sample, typename Process>
    void run(const Sample* near, const Sample* far, std::size_t count, Sample* out, Process&& process) noexcept {
        const std::size_t all = due(count);
        collect(near, far, count, [&] {
            process(std::span<const float>(near_), std::span<const float>(far_), std::span<float>(near_));
            for (std::size_t stream = 0; stream < streams_; ++stream)
                std::transform(near_.begin() + at(stream), near_.begin() + at(stream + 1), out + stream * all,
                               [](float sample) { return from_float<Sample>(sample); });
            out += frame_;
        });
    }

    // The same for a stage that only listens.
    template <typename Sample, typename Process>
    void consume(const Sample* near, std::size_t count, Process&& process) noexcept {
        collect(near, static_cast<const Sample*>(nullptr), count, [&] { process(std::span<const float>(near_)); });
    }

  private:
    std::ptrdiff_t at(std::size_t stream, std::size_t sample = 0) const noexcept {
        return static_cast<std::ptrdiff_t>(stream * frame_ + sample);
    }

    template <typename Sample, typename Whole>
    void collect(const Sample* near, const Sample* far, std::size_t count, Whole&& whole) noexcept {
        for (std::size_t read = 0; read < count;) {
            const std::size_t now = std::min(count - read, frame_ - filled_);
            for (std::size_t stream = 0; stream < streams_; ++stream)
                std::transform(near + stream * count + read, near + stream * count + read + now,
                               near_.begin() + at(stream, filled_), [](Sample sample) { return to_float(sample); });
            for (std::size_t channel = 0; channel < channels_; ++channel)
                for (std::size_t n = 0; n < now; ++n)
                    far_[channel * frame_ + filled_ + n] = far ? to_float(far[(read + n) * channels_ + channel]) : 0.0f;
            read += now;
            filled_ = (filled_ + now) % frame_;
            if (filled_ == 0) whole();
        }
    }

    std::size_t frame_, streams_, channels_;
    std::size_t filled_ = 0;
    std::vector<float> near_, far_;
};

}  // namespace spike::bindings
