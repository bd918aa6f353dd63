#include "bindings/bindings.hpp"

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
    m.doc() = "The native core of spike_engine. Use spike_engine.dsp and spike_engine.frames, not this module.";
    spike::bindings::bind_base(m);
}
