#include <pybind11/numpy.h>

#include <span>

#include "bindings/bindings.hpp"
#include "media/voice_gate.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

// The GIL is held: this is one call of a loudspeaker's thread, shorter than a switch of threads.
void pull(VoiceGate& self, py::array_t<float, py::array::c_style>& out, Ring* tee) {
    if (out.ndim() != 1) throw py::value_error("out must have shape (n,)");
    self.pull({out.mutable_data(), static_cast<std::size_t>(out.size())}, tee);
}

void pull_and_tee(VoiceGate& self, py::array_t<float, py::array::c_style>& out, Ring& tee) { pull(self, out, &tee); }

void pull_alone(VoiceGate& self, py::array_t<float, py::array::c_style>& out) { pull(self, out, nullptr); }

}  // namespace

void bind_voice_gate(py::module_& m) {
    py::class_<VoiceGate>(m, "VoiceGate",
                          "Between a voice and who plays it: shut without a click; keeps what was heard.")
        .def(py::init<VoiceReceiver&, int, std::size_t>(), py::arg("voice"), py::arg("sample_rate_hz") = 48000,
             py::arg("kept_samples") = 24000, py::keep_alive<1, 2>())
        .def("pull", &pull_alone, py::arg("out").noconvert(),
             "Fill `out`, float32 of shape (n,), with what is to be heard now.")
        .def("pull", &pull_and_tee, py::arg("out").noconvert(), py::arg("tee"),
             "The same, and queue what `out` then holds in `tee`.")
        .def("flush", &VoiceGate::flush, "Let nothing be heard of what has come up to now.")
        .def_property("held", &VoiceGate::held, &VoiceGate::hold, "While True, the voice goes on unheard.")
        .def_property("paused", &VoiceGate::paused, &VoiceGate::pause, "While True, the voice waits to be heard.")
        .def_property("volume", &VoiceGate::volume, &VoiceGate::set_volume, "1 is as it came, 0 is silence.")
        .def_property_readonly("played", &VoiceGate::played, py::return_value_policy::reference_internal,
                               "What was pulled, for one thread to read.");
}

}  // namespace spike::bindings
