#include "base/cpu.hpp"
#include "bindings/bindings.hpp"

namespace py = pybind11;

namespace spike::bindings {

void bind_base(py::module_& m) {
    m.def(
        "active_isa", [] { return isa_name(active_isa()); },
        "The instruction set that the kernels of this process use: 'baseline', 'avx2', 'avx512' or 'neon'.");
}

}  // namespace spike::bindings
