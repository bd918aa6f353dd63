// NumPy arrays as stages take and give them.
#pragma once

#include <pybind11/numpy.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace spike::bindings {

template <typename Sample>
using Array = pybind11::array_t<Sample, pybind11::array::c_style>;

inline void require(bool condition, const std::string& message) {
    if (!condition) throw pybind11::value_error(message);
}

// The first and the last byte of an array that is not empty.
inline std::pair<const char*, const char*> extent(const pybind11::array& array) {
    const auto* first = static_cast<const char*>(array.data());
    const char* last = first + array.itemsize() - 1;
    for (pybind11::ssize_t axis = 0; axis < array.ndim(); ++axis)
        (array.strides(axis) < 0 ? first : last) += (array.shape(axis) - 1) * array.strides(axis);
    return {first, last};
}

inline bool overlap(const pybind11::array& a, const pybind11::array& b) {
    if (a.size() == 0 || b.size() == 0) return false;
    const auto [a_first, a_last] = extent(a);
    const auto [b_first, b_last] = extent(b);
    return a_first <= b_last && b_first <= a_last;
}

// `in`, or a copy of it where `out` would overwrite what is still to be read.
template <typename Sample>
Array<Sample> apart(const Array<Sample>& in, const Array<Sample>& out) {
    if (!overlap(in, out)) return in;
    Array<Sample> copy(std::vector<pybind11::ssize_t>(in.shape(), in.shape() + in.ndim()));
    std::copy_n(in.data(), in.size(), copy.mutable_data());
    return copy;
}

// The array that a call fills: `out` where it fits, a new one where there is none.
template <typename Sample>
Array<Sample> output_array(const std::optional<Array<Sample>>& out, std::size_t due) {
    if (!out) return Array<Sample>(static_cast<pybind11::ssize_t>(due));
    require(out->ndim() == 1 && static_cast<std::size_t>(out->size()) == due,
            "out must have shape (" + std::to_string(due) + ",), what this call returns");
    return *out;
}

// The same for several streams, one a row.
template <typename Sample>
Array<Sample> output_array(const std::optional<Array<Sample>>& out, std::size_t streams, std::size_t due) {
    if (!out) return Array<Sample>({streams, due});
    require(
        out->ndim() == 2 && static_cast<std::size_t>(out->shape(0)) == streams &&
            static_cast<std::size_t>(out->shape(1)) == due,
        "out must have shape (" + std::to_string(streams) + ", " + std::to_string(due) + "), what this call returns");
    return *out;
}

}  // namespace spike::bindings
