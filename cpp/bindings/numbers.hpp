// Whole numbers out of Python, and words for those that will not do: pybind11 would show a signature of C++.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>

namespace spike::bindings {

// `object`, an integer of any type, as a number from `least` to `most`; TypeError or ValueError where it is none.
inline std::int64_t whole_number(pybind11::handle object, const char* name, std::int64_t least, std::int64_t most) {
    const auto number = pybind11::reinterpret_steal<pybind11::object>(PyNumber_Index(object.ptr()));
    if (!number) {
        PyErr_Clear();
        throw pybind11::type_error(std::string(name) + " must be a whole number, not " +
                                   Py_TYPE(object.ptr())->tp_name);
    }
    int overflow = 0;
    const std::int64_t value = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
    if (overflow != 0 || value < least || value > most)
        throw pybind11::value_error(std::string(name) + " must be from " + std::to_string(least) + " to " +
                                    std::to_string(most) + ", not " +
                                    (overflow == 0 ? std::to_string(value) : "one of more than 64 bits"));
    return value;
}

}  // namespace spike::bindings
