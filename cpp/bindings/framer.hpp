// Lets a stage that works in frames be called with any number of samples.
#pragma once

#include <pybind11/numpy.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "convert/samples.hpp"

namespace spike::bindings {

template <typename Sample>
using Array = pybind11::array_t<Sample, pybind11::array::c_style>;

// Collects samples until a frame is full, runs the stage on it and hands out what it made. Holds at most one frame, so
// that the stream that leaves does not depend on how the stream that enters is cut.
class Framer {
  public:
    Framer(std::size_t frame_samples, std::size_t far_channels)
        : frame_(frame_samples), channels_(far_channels), near_(frame_samples), far_(frame_samples * far_channels) {}

    void reset() noexcept { filled_ = 0; }

    // How many samples a call with `count` returns.
    std::size_t due(std::size_t count) const noexcept { return (filled_ + count) / frame_ * frame_; }

    // `far` interleaved, or nullptr for silence. `process` takes (near, far, out) spans of one frame.
    template <typename Sample, typename Process>
    void run(const Sample* near, const Sample* far, std::size_t count, Sample* out, Process&& process) noexcept {
        for (std::size_t n = 0; n < count; ++n) {
            near_[filled_] = to_float(near[n]);
            for (std::size_t channel = 0; channel < channels_; ++channel)
                far_[channel * frame_ + filled_] = far ? to_float(far[n * channels_ + channel]) : 0.0f;
            if (++filled_ < frame_) continue;
            filled_ = 0;
            process(std::span<const float>(near_), std::span<const float>(far_), std::span<float>(near_));
            for (const float sample : near_) *out++ = from_float<Sample>(sample);
        }
    }

    // The same for a stage that only listens.
    template <typename Sample, typename Process>
    void consume(const Sample* near, std::size_t count, Process&& process) noexcept {
        for (std::size_t n = 0; n < count; ++n) {
            near_[filled_] = to_float(near[n]);
            if (++filled_ < frame_) continue;
            filled_ = 0;
            process(std::span<const float>(near_));
        }
    }

  private:
    std::size_t frame_, channels_;
    std::size_t filled_ = 0;
    std::vector<float> near_, far_;
};

inline void require(bool condition, const std::string& message) {
    if (!condition) throw pybind11::value_error(message);
}

// The array that a call fills: `out` where it fits, a new one where there is none.
template <typename Sample>
Array<Sample> output_array(const std::optional<Array<Sample>>& out, std::size_t due) {
    if (!out) return Array<Sample>(static_cast<pybind11::ssize_t>(due));
    require(out->ndim() == 1 && static_cast<std::size_t>(out->size()) == due,
            "out must have shape (" + std::to_string(due) + ",), what this call returns");
    return *out;
}

// The same for several streams, one a row.
template <typename Sample>
Array<Sample> output_array(const std::optional<Array<Sample>>& out, std::size_t streams, std::size_t due) {
    if (!out) return Array<Sample>({streams, due});
    require(
        out->ndim() == 2 && static_cast<std::size_t>(out->shape(0)) == streams &&
            static_cast<std::size_t>(out->shape(1)) == due,
        "out must have shape (" + std::to_string(streams) + ", " + std::to_string(due) + "), what this call returns");
    return *out;
}

// A stage behind a framer, as Python sees it.
template <typename Stage>
struct Framed {
    template <typename... Arguments>
    explicit Framed(std::size_t far_channels, Arguments&&... arguments)
        : stage(std::forward<Arguments>(arguments)...), framer(stage.frame_samples(), far_channels) {}

    void reset() noexcept {
        stage.reset();
        framer.reset();
    }

    Stage stage;
    Framer framer;
};

// process(microphone, far, out) of a stage with a far end. Holds the GIL: a frame takes less time than a switch of
// threads.
template <typename Sample, typename Stage>
Array<Sample> process_with_far(Framed<Stage>& self, const Array<Sample>& microphone,
                               const std::optional<Array<Sample>>& far, const std::optional<Array<Sample>>& out) {
    require(microphone.ndim() == 1, "the microphone must have shape (n,)");
    const auto count = static_cast<std::size_t>(microphone.size());
    const std::size_t channels = self.stage.far_channels();
    if (far) {
        const bool mono = far->ndim() == 1 && channels == 1;
        const bool interleaved = far->ndim() == 2 && static_cast<std::size_t>(far->shape(1)) == channels;
        require((mono || interleaved) && static_cast<std::size_t>(far->shape(0)) == count,
                "far must have shape (" + std::to_string(count) + (channels == 1 ? ",)" : ", 2)") +
                    ", as long as the microphone");
    }
    Array<Sample> result = output_array(out, self.framer.due(count));
    self.framer.run(microphone.data(), far ? far->data() : nullptr, count, result.mutable_data(),
                    [&self](auto near, auto far_frame, auto frame) { self.stage.process(near, far_frame, frame); });
    return result;
}

}  // namespace spike::bindings
