#include "bindings/bindings.hpp"

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
    m.doc() = "The native core of spike_engine. Use spike_engine.dsp and spike_engine.frames, not this module.";
    spike::bindings::bind_base(m);
    spike::bindings::bind_ring(m);
    spike::bindings::bind_resampler(m);
    spike::bindings::bind_samples(m);
    spike::bindings::bind_pixels(m);
    spike::bindings::bind_noise_suppressor(m);  // and the weights that the echo canceller takes
    spike::bindings::bind_echo_canceller(m);
    spike::bindings::bind_detectors(m);
    spike::bindings::bind_pipelines(m);
    spike::bindings::bind_opus_encoder(m);
    spike::bindings::bind_voice_receiver(m);
}
