// A stage as Python sees it: any number of samples, one thread at a time.
#pragma once

#include <pybind11/stl.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "bindings/arrays.hpp"
#include "bindings/turn.hpp"
#include "pipeline/framer.hpp"

namespace spike::bindings {

// Calls with at least so many frames, of all streams together, release the GIL: 100 ms of one. Shorter ones would wait
// longer to get it back than they take.
constexpr std::size_t long_frames = 10;

template <typename Stage>
class Framed {
  public:
    // Of a stream of `rate_hz`; `config` gets the rate that the stage works at.
    template <typename Config>
    Framed(int rate_hz, std::size_t streams, std::size_t far_channels, Config config)
        : streams_(streams),
          channels_(far_channels),
          rate_hz_(static_cast<std::size_t>(rate_hz)),
          stage_(at_rate(std::move(config), stage_rate_hz(rate_hz))),
          framer_(rate_hz, streams, far_channels) {}

    // What `use` makes of the stage while no other thread has it.
    template <typename Use>
    auto with(Use&& use) {
        const Turn turn(lock_);
        return use(stage_);
    }

    void reset() {
        const Turn turn(lock_);
        stage_.reset();
        framer_.reset();
    }

    // Of what never changes.
    std::size_t frame_samples() const noexcept { return stage_.frame_samples(); }  // of the stage's own rate
    std::size_t latency_samples() const noexcept { return framer_.latency_samples(stage_.latency_samples()); }

    // No resampler stands between the stream and the stage.
    bool is_at_own_rate() const noexcept { return rate_hz_ == 100 * stage_.frame_samples(); }

    bool is_long(std::size_t count) const noexcept { return count * streams_ >= long_frames * rate_hz_ / 100; }

    // process(samples, out) of a stage of one stream.
    template <typename Sample>
    Array<Sample> process(const Array<Sample>& in, const std::optional<Array<Sample>>& out) {
        require(in.ndim() == 1, "the samples must have shape (n,)");
        const Turn turn(lock_);
        const auto count = static_cast<std::size_t>(in.size());
        return run(in, std::optional<Array<Sample>>(), count, output_array(out, framer_.due(count)));
    }

    // process(samples, out) of a stage of several, one a row.
    template <typename Sample>
    Array<Sample> process_rows(const Array<Sample>& in, const std::optional<Array<Sample>>& out) {
        require(in.ndim() == 2 && static_cast<std::size_t>(in.shape(0)) == streams_,
                "the samples must have shape (" + std::to_string(streams_) + ", n)");
        const Turn turn(lock_);
        const auto count = static_cast<std::size_t>(in.shape(1));
        return run(in, std::optional<Array<Sample>>(), count, output_array(out, streams_, framer_.due(count)));
    }

    // process(microphone, far, out) of a stage with a far end.
    template <typename Sample>
    Array<Sample> process_with_far(const Array<Sample>& microphone, const std::optional<Array<Sample>>& far,
                                   const std::optional<Array<Sample>>& out) {
        require(microphone.ndim() == 1, "the microphone must have shape (n,)");
        const auto count = static_cast<std::size_t>(microphone.size());
        if (far) {
            const bool mono = far->ndim() == 1 && channels_ == 1;
            const bool interleaved = far->ndim() == 2 && static_cast<std::size_t>(far->shape(1)) == channels_;
            require((mono || interleaved) && static_cast<std::size_t>(far->shape(0)) == count,
                    "far must have shape (" + std::to_string(count) + (channels_ == 1 ? ",)" : ", 2)") +
                        ", as long as the microphone");
        }
        const Turn turn(lock_);
        return run(microphone, far, count, output_array(out, framer_.due(count)));
    }

    // process(samples) of a stage that only listens; returns what `result` says of it.
    template <typename Sample, typename Result>
    auto listen(const Array<Sample>& in, Result&& result) {
        require(in.ndim() == 1, "the samples must have shape (n,)");
        const Turn turn(lock_);
        const auto count = static_cast<std::size_t>(in.size());
        const Sample* samples = in.data();
        without_gil_where(is_long(count),
                          [&] { framer_.consume(samples, count, [this](auto frame) { stage_.process(frame); }); });
        return result(stage_);
    }

  private:
    template <typename Config>
    static Config at_rate(Config config, int rate_hz) {
        config.sample_rate_hz = rate_hz;
        return config;
    }

    template <typename Sample>
    Array<Sample> run(const Array<Sample>& in, const std::optional<Array<Sample>>& far, std::size_t count,
                      Array<Sample> out) {
        const Array<Sample> near = apart(in, out);
        const std::optional<Array<Sample>> beside = far ? std::optional(apart(*far, out)) : std::nullopt;
        const Sample *from = near.data(), *from_far = beside ? beside->data() : nullptr;
        Sample* to = out.mutable_data();
        without_gil_where(is_long(count), [&] {
            framer_.run(from, from_far, count, to, [this](auto frame, [[maybe_unused]] auto far_frame, auto made) {
                if constexpr (requires { stage_.process(frame, far_frame, made); })
                    stage_.process(frame, far_frame, made);
                else
                    stage_.process(frame, made);
            });
        });
        return out;
    }

    std::size_t streams_, channels_, rate_hz_;
    Stage stage_;
    Framer framer_;
    Lock lock_;
};

inline std::size_t checked_far_channels(int far_channels) {
    require(far_channels == 1 || far_channels == 2, "far_channels must be 1 or 2, not " + std::to_string(far_channels));
    return static_cast<std::size_t>(far_channels);
}

// What all stages have that work in frames.
template <typename Stage>
void bind_framed(pybind11::class_<Framed<Stage>>& bound) {
    bound.def("reset", &Framed<Stage>::reset)
        .def_property_readonly("frame_samples", &Framed<Stage>::frame_samples)
        .def_property_readonly("latency_samples", &Framed<Stage>::latency_samples);
}

}  // namespace spike::bindings
