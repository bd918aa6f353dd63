#include <pybind11/numpy.h>

#include <cstdint>
#include <limits>

#include "base/ring.hpp"
#include "bindings/bindings.hpp"
#include "bindings/numbers.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

using Block = py::array_t<float, py::array::c_style>;

std::span<const float> as_span(const Block& block) { return {block.data(), static_cast<std::size_t>(block.size())}; }

std::span<float> as_span(Block& block) { return {block.mutable_data(), static_cast<std::size_t>(block.size())}; }

std::size_t pop_and_tee(Ring& self, Block& out, Ring& tee) {
    const std::size_t count = self.pop(as_span(out));
    tee.push(as_span(out));
    return count;
}

}  // namespace

void bind_ring(py::module_& m) {
    py::class_<Ring>(m, "Ring", "A queue of mono float32 samples between two threads: one pushes, one pops.")
        .def(py::init([](py::handle capacity_samples) {
                 constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
                 return std::make_unique<Ring>(
                     static_cast<std::size_t>(whole_number(capacity_samples, "capacity_samples", 1, most)));
             }),
             py::arg("capacity_samples"))
        .def(
            "push", [](Ring& self, const Block& samples) { return self.push(as_span(samples)); },
            py::arg("samples").noconvert(), "Queue what fits; returns how many samples did.")
        .def(
            "pop", [](Ring& self, Block& out) { return self.pop(as_span(out)); }, py::arg("out").noconvert(),
            "Fill `out`, with zeros behind what was there; returns how many samples were.")
        .def("pop", &pop_and_tee, py::arg("out").noconvert(), py::arg("tee"),
             "The same, and queue what `out` then holds in `tee`.")
        .def("clear", &Ring::clear, "Drop what is queued; only the thread that pops may.")
        .def_property_readonly("available", &Ring::available, "Samples queued.")
        .def_property_readonly("capacity", &Ring::capacity)
        .def_property_readonly("overruns", &Ring::overruns, "Samples that did not fit, since construction.")
        .def_property_readonly("underruns", &Ring::underruns, "Zeros that `pop` filled in, since construction.");
}

}  // namespace spike::bindings
