#include "bindings/bindings.hpp"
#include "bindings/framed.hpp"
#include "dsp/voice_detector.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

using Stage = Framed<VoiceDetector>;

float probability_of(const VoiceDetector& stage) { return stage.probability(); }

template <typename Sample>
float process(Stage& self, const Array<Sample>& samples) {
    return self.listen(samples, &probability_of);
}

}  // namespace

void bind_detectors(py::module_& m) {
    py::class_<Stage>(m, "VoiceDetector")
        .def(py::init([](int sample_rate_hz, int hangover_ms) {
                 return std::make_unique<Stage>(sample_rate_hz, 1u, 0u,
                                                VoiceDetector::Config{.hangover_ms = hangover_ms});
             }),
             py::arg("sample_rate_hz") = 48000, py::arg("hangover_ms") = 200)
        .def("process", &process<float>, py::arg("samples").noconvert())
        .def("process", &process<std::int16_t>, py::arg("samples").noconvert())
        .def("reset", &Stage::reset)
        .def_property_readonly("probability", [](Stage& self) { return self.with(&probability_of); })
        .def_property_readonly(
            "active", [](Stage& self) { return self.with([](const VoiceDetector& stage) { return stage.active(); }); })
        .def_property_readonly("frame_samples", &Stage::frame_samples);
}

}  // namespace spike::bindings
