#include "bindings/bindings.hpp"
#include "bindings/framed.hpp"
#include "dsp/gain_control.hpp"

namespace py = pybind11;

namespace spike::bindings {

void bind_gain_control(py::module_& m) {
    using Stage = Framed<GainControl>;
    py::class_<Stage> bound(m, "GainControl");
    bound
        .def(py::init([](int sample_rate_hz, float target_dbfs, float max_gain_db) {
                 return std::make_unique<Stage>(
                     sample_rate_hz, 1u, 0u,
                     GainControl::Config{.target_dbfs = target_dbfs, .max_gain_db = max_gain_db});
             }),
             py::arg("sample_rate_hz"), py::arg("target_dbfs"), py::arg("max_gain_db"))
        .def("process", &Stage::process<float>, py::arg("samples").noconvert(), py::arg("out").noconvert() = py::none())
        .def("process", &Stage::process<std::int16_t>, py::arg("samples").noconvert(),
             py::arg("out").noconvert() = py::none())
        .def_property_readonly(
            "gain_db", [](Stage& self) { return self.with([](const GainControl& stage) { return stage.gain_db(); }); });
    bind_framed(bound);
}

}  // namespace spike::bindings
