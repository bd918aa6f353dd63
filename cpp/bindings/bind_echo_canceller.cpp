#include <algorithm>
#include <array>
#include <tuple>

#include "bindings/bindings.hpp"
#include "bindings/framed.hpp"
#include "dsp/echo_canceller.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

using Stage = Framed<EchoCanceller>;

// What the linear stage makes of whole frames: error, predicted echo and aligned far end. For the training of the
// residual stage's network, and for its tests.
std::tuple<Array<float>, Array<float>, Array<float>> linear_stage(Stage& self, const Array<float>& microphone,
                                                                  const Array<float>& far) {
    const std::size_t frame = self.frame_samples();
    require(self.is_at_own_rate(), "the linear stage is shown at 8, 12, 16, 24, 32, 44.1 and 48 kHz");
    const auto samples = static_cast<std::size_t>(microphone.size());
    require(microphone.ndim() == 1 && far.ndim() == 1 && far.size() == microphone.size() && samples % frame == 0,
            "microphone and far must have shape (n,), n a multiple of " + std::to_string(frame));
    std::array<Array<float>, 3> parts;
    for (auto& part : parts) part = Array<float>(microphone.size());
    float* const to[] = {parts[0].mutable_data(), parts[1].mutable_data(), parts[2].mutable_data()};
    std::vector<float> out(frame);
    self.with([&](EchoCanceller& stage) {
        require(stage.far_channels() == 1, "the linear stage is shown for a mono far end");
        without_gil_where(self.is_long(samples), [&] {
            for (std::size_t at = 0; at < samples; at += frame) {
                stage.process({microphone.data() + at, frame}, {far.data() + at, frame}, out);
                std::ranges::copy(stage.error(), to[0] + at);
                std::ranges::copy(stage.echo(), to[1] + at);
                std::ranges::copy(stage.far_heard(), to[2] + at);
            }
        });
    });
    return {parts[0], parts[1], parts[2]};
}

}  // namespace

void bind_echo_canceller(py::module_& m) {
    py::class_<EchoStats>(m, "EchoStats", "By-products of the echo canceller, as of the last frame.")
        .def_readonly("erle_db", &EchoStats::erle_db, "Echo return loss enhancement, in dB.")
        .def_readonly("delay_ms", &EchoStats::delay_ms, "From far end to microphone; 0 until it is found.")
        .def_readonly("drift_ppm", &EchoStats::drift_ppm,
                      "How much faster the far end's clock runs than the microphone's.")
        .def_readonly("converged", &EchoStats::converged, "The linear model takes at least 6 dB off.")
        .def_readonly("double_talk", &EchoStats::double_talk, "Probability that the near end talks too.")
        .def_readonly("near_end", &EchoStats::near_end, "Probability that the near end talks, far end or not.")
        .def_readonly("share_left", &EchoStats::share_left,
                      "What the linear stage leaves of the microphone's power, 0 to 1, over a tenth of a second.");

    py::class_<Stage> bound(m, "EchoCanceller");
    bound
        .def(py::init([](int sample_rate_hz, int far_channels, std::optional<std::shared_ptr<const Weights>> weights) {
                 const std::size_t channels = checked_far_channels(far_channels);
                 return std::make_unique<Stage>(
                     sample_rate_hz, 1u, channels,
                     EchoCanceller::Config{.far_channels = channels, .weights = weights.value_or(nullptr)});
             }),
             py::arg("sample_rate_hz") = 48000, py::arg("far_channels") = 1, py::arg("weights") = py::none())
        .def(
            "hint_delay",
            [](Stage& self, double delay_ms) {
                self.with([delay_ms](EchoCanceller& stage) { stage.hint_delay(delay_ms); });
            },
            py::arg("delay_ms"))
        .def("process", &Stage::process_with_far<float>, py::arg("microphone").noconvert(), py::arg("far").noconvert(),
             py::arg("out").noconvert() = py::none())
        .def("process", &Stage::process_with_far<std::int16_t>, py::arg("microphone").noconvert(),
             py::arg("far").noconvert(), py::arg("out").noconvert() = py::none())
        .def("linear_stage", &linear_stage, py::arg("microphone").noconvert(), py::arg("far").noconvert(),
             "What the linear stage makes of whole frames: error, predicted echo and aligned far end, float32.")
        .def_property_readonly(
            "stats", [](Stage& self) { return self.with([](const EchoCanceller& stage) { return stage.stats(); }); });
    bind_framed(bound);
}

}  // namespace spike::bindings
