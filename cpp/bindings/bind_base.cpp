#include "base/cpu.hpp"
#include "bindings/bindings.hpp"
#include "bindings/numbers.hpp"

namespace py = pybind11;

namespace spike::bindings {

void bind_base(py::module_& m) {
    m.def(
        "active_isa", [] { return isa_name(active_isa()); },
        "The instruction set that the kernels of this process use: 'baseline', 'avx2', 'avx512' or 'neon'.");
    m.def("whole_number", &whole_number, py::arg("value"), py::arg("name"), py::arg("least"), py::arg("most"),
          "An integer of any type from `least` to `most`; TypeError or ValueError, with its `name`, where it is none.");
}

}  // namespace spike::bindings
