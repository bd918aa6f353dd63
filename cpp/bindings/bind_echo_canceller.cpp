#include <pybind11/stl.h>

#include "bindings/bindings.hpp"
#include "bindings/framer.hpp"
#include "dsp/echo_canceller.hpp"

namespace py = pybind11;

namespace spike::bindings {

void bind_echo_canceller(py::module_& m) {
    py::class_<EchoStats>(m, "EchoStats", "By-products of the echo canceller, as of the last frame.")
        .def_readonly("erle_db", &EchoStats::erle_db, "Echo return loss enhancement, in dB.")
        .def_readonly("delay_ms", &EchoStats::delay_ms, "From far end to microphone; 0 until it is found.")
        .def_readonly("drift_ppm", &EchoStats::drift_ppm,
                      "How much faster the far end's clock runs than the microphone's.")
        .def_readonly("converged", &EchoStats::converged, "The linear model takes at least 6 dB off.")
        .def_readonly("double_talk", &EchoStats::double_talk, "Probability that the near end talks too.")
        .def_readonly("near_end", &EchoStats::near_end, "Probability that the near end talks, far end or not.");

    using Stage = Framed<EchoCanceller>;
    py::class_<Stage>(m, "EchoCanceller")
        .def(py::init([](int sample_rate_hz, std::size_t far_channels,
                         std::optional<std::shared_ptr<const Weights>> weights) {
                 return std::make_unique<Stage>(far_channels,
                                                EchoCanceller::Config{.sample_rate_hz = sample_rate_hz,
                                                                      .far_channels = far_channels,
                                                                      .weights = weights.value_or(nullptr)});
             }),
             py::arg("sample_rate_hz") = 48000, py::arg("far_channels") = 1, py::arg("weights") = py::none())
        .def(
            "hint_delay", [](Stage& self, double delay_ms) { self.stage.hint_delay(delay_ms); }, py::arg("delay_ms"))
        .def("process", &process_with_far<float, EchoCanceller>, py::arg("microphone").noconvert(),
             py::arg("far").noconvert(), py::arg("out").noconvert() = py::none())
        .def("process", &process_with_far<std::int16_t, EchoCanceller>, py::arg("microphone").noconvert(),
             py::arg("far").noconvert(), py::arg("out").noconvert() = py::none())
        .def("reset", &Stage::reset)
        .def_property_readonly("stats", [](const Stage& self) { return self.stage.stats(); })
        .def_property_readonly("frame_samples", [](const Stage& self) { return self.stage.frame_samples(); })
        .def_property_readonly("latency_samples", [](const Stage& self) { return self.stage.latency_samples(); });
}

}  // namespace spike::bindings
