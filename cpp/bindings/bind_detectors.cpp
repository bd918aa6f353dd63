#include "bindings/bindings.hpp"
#include "bindings/framer.hpp"
#include "dsp/voice_detector.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

struct Detector {
    explicit Detector(const VoiceDetector::Config& config) : stage(config), framer(stage.frame_samples(), 0) {}

    template <typename Sample>
    float process(const Array<Sample>& samples) {
        require(samples.ndim() == 1, "the samples must have shape (n,)");
        framer.consume(samples.data(), static_cast<std::size_t>(samples.size()),
                       [this](auto frame) { stage.process(frame); });
        return stage.probability();
    }

    VoiceDetector stage;
    Framer framer;
};

}  // namespace

void bind_detectors(py::module_& m) {
    py::class_<Detector>(m, "VoiceDetector")
        .def(py::init([](int sample_rate_hz, int hangover_ms) {
                 return std::make_unique<Detector>(
                     VoiceDetector::Config{.sample_rate_hz = sample_rate_hz, .hangover_ms = hangover_ms});
             }),
             py::arg("sample_rate_hz") = 48000, py::arg("hangover_ms") = 200)
        .def("process", &Detector::process<float>, py::arg("samples").noconvert())
        .def("process", &Detector::process<std::int16_t>, py::arg("samples").noconvert())
        .def("reset",
             [](Detector& self) {
                 self.stage.reset();
                 self.framer.reset();
             })
        .def_property_readonly("probability", [](const Detector& self) { return self.stage.probability(); })
        .def_property_readonly("active", [](const Detector& self) { return self.stage.active(); })
        .def_property_readonly("frame_samples", [](const Detector& self) { return self.stage.frame_samples(); });
}

}  // namespace spike::bindings
