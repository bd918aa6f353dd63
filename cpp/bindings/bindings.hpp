// One function per room: each registers what its file binds. module.cpp calls them in order.
#pragma once

#include <pybind11/pybind11.h>

namespace spike::bindings {

void bind_base(pybind11::module_& m);

}  // namespace spike::bindings
