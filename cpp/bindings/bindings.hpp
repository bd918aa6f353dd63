// One function per room: each registers what its file binds. module.cpp calls them in order.
#pragma once

#include <pybind11/pybind11.h>

namespace spike::bindings {

void bind_base(pybind11::module_& m);
void bind_detectors(pybind11::module_& m);
void bind_echo_canceller(pybind11::module_& m);
void bind_gain_control(pybind11::module_& m);
void bind_noise_suppressor(pybind11::module_& m);
void bind_opus_encoder(pybind11::module_& m);
void bind_pipelines(pybind11::module_& m);
void bind_pixels(pybind11::module_& m);
void bind_samples(pybind11::module_& m);
void bind_resampler(pybind11::module_& m);
void bind_ring(pybind11::module_& m);
void bind_speed_up(pybind11::module_& m);
void bind_voice_gate(pybind11::module_& m);
void bind_voice_receiver(pybind11::module_& m);

}  // namespace spike::bindings
