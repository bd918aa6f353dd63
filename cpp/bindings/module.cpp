#include "bindings/bindings.hpp"

// No free-threaded build of Python has run this module yet, so that it does not declare to need no GIL: such a build
// turns its GIL on when it loads the module. Stages have locks of their own (turn.hpp), for calls that give the GIL up.
PYBIND11_MODULE(_core, m) {
    m.doc() = "The native core of spike_engine. Use spike_engine.dsp and spike_engine.frames, not this module.";
    spike::bindings::bind_base(m);
    spike::bindings::bind_ring(m);
    spike::bindings::bind_resampler(m);
    spike::bindings::bind_samples(m);
    spike::bindings::bind_pixels(m);
    spike::bindings::bind_noise_suppressor(m);  // and the weights that the echo canceller takes
    spike::bindings::bind_echo_canceller(m);
    spike::bindings::bind_detectors(m);
    spike::bindings::bind_gain_control(m);
    spike::bindings::bind_pipelines(m);
    spike::bindings::bind_opus_encoder(m);
    spike::bindings::bind_voice_receiver(m);
    spike::bindings::bind_voice_gate(m);
    spike::bindings::bind_speed_up(m);
}
