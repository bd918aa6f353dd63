#include <pybind11/numpy.h>

#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "media/speed_up.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

// What `fill` writes, in an array of its own.
template <typename Fill>
Array<float> made_by(std::size_t most, Fill&& fill) {
    std::vector<float> room(most);
    const std::size_t made = fill(std::span(room));
    return Array<float>(static_cast<py::ssize_t>(made), room.data());
}

// The GIL is held: 20 ms take less time than a switch of threads.
Array<float> process(SpeedUp& self, const Array<float>& samples) {
    require(samples.ndim() == 1, "the samples must have shape (n,)");
    const auto in = std::span(samples.data(), static_cast<std::size_t>(samples.size()));
    return made_by(self.most_output(in.size()), [&](auto out) { return self.process(in, out); });
}

Array<float> drain(SpeedUp& self) {
    return made_by(self.most_output(0), [&](auto out) { return self.drain(out); });
}

}  // namespace

void bind_speed_up(py::module_& m) {
    py::class_<SpeedUp>(m, "SpeedUp", "Plays a voice faster by a fixed factor, at its own pitch (WSOLA).")
        .def(py::init<int, double>(), py::arg("sample_rate_hz"), py::arg("speed"))
        .def("process", &process, py::arg("samples").noconvert(),
             "What can be played after `samples`, float32 of shape (n,); some 30 ms stay behind for the next call.")
        .def("drain", &drain, "What has stayed behind, at the speed at which it came; then another voice begins.");
}

}  // namespace spike::bindings
