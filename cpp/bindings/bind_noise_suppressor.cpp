#include <pybind11/stl.h>

#include "bindings/bindings.hpp"
#include "bindings/framer.hpp"
#include "dsp/noise_suppressor.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

using Stage = Framed<NoiseSuppressor>;

template <typename Sample>
Array<Sample> process(Stage& self, const Array<Sample>& in, const std::optional<Array<Sample>>& out) {
    require(in.ndim() == 1, "the samples must have shape (n,)");
    const auto count = static_cast<std::size_t>(in.size());
    Array<Sample> result = output_array(out, self.framer.due(count));
    self.framer.run(in.data(), static_cast<const Sample*>(nullptr), count, result.mutable_data(),
                    [&self](auto frame, auto, auto cleaned) { self.stage.process(frame, cleaned); });
    return result;
}

}  // namespace

void bind_noise_suppressor(py::module_& m) {
    py::class_<Stage>(m, "NoiseSuppressor")
        .def(py::init([](int sample_rate_hz, float attenuation_db) {
                 return std::make_unique<Stage>(
                     0u, NoiseSuppressor::Config{.sample_rate_hz = sample_rate_hz, .attenuation_db = attenuation_db});
             }),
             py::arg("sample_rate_hz") = 48000, py::arg("attenuation_db") = 12.0f)
        .def("process", &process<float>, py::arg("samples").noconvert(), py::arg("out").noconvert() = py::none())
        .def("process", &process<std::int16_t>, py::arg("samples").noconvert(), py::arg("out").noconvert() = py::none())
        .def("reset", &Stage::reset)
        .def_property(
            "attenuation_db", [](const Stage& self) { return self.stage.attenuation_db(); },
            [](Stage& self, float attenuation_db) { self.stage.set_attenuation_db(attenuation_db); })
        .def_property_readonly("speech_probability", [](const Stage& self) { return self.stage.speech_probability(); })
        .def_property_readonly("frame_samples", [](const Stage& self) { return self.stage.frame_samples(); })
        .def_property_readonly("latency_samples", [](const Stage& self) { return self.stage.latency_samples(); });
}

}  // namespace spike::bindings
