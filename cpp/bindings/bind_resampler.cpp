#include <pybind11/stl.h>

#include "bindings/bindings.hpp"
#include "bindings/framer.hpp"
#include "dsp/resampler.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

// Pieces at least this long release the GIL: shorter ones would wait longer to get it back than they take.
constexpr std::size_t bulk_samples = 16384;

template <typename Sample>
Array<Sample> process(Resampler& self, const Array<Sample>& in, bool last, const std::optional<Array<Sample>>& out) {
    const std::size_t channels = self.channels();
    const bool mono = in.ndim() == 1 && channels == 1;
    require(mono || (in.ndim() == 2 && static_cast<std::size_t>(in.shape(1)) == channels),
            channels == 1 ? "x must have shape (n,)" : "x must have shape (n, " + std::to_string(channels) + ")");
    const auto count = static_cast<std::size_t>(in.shape(0));
    const auto due = static_cast<py::ssize_t>(self.due(count, last));
    std::vector<py::ssize_t> shape{due};
    if (in.ndim() == 2) shape.push_back(static_cast<py::ssize_t>(channels));
    if (out)
        require(std::equal(shape.begin(), shape.end(), out->shape(), out->shape() + out->ndim()),
                "out must have the shape that this call returns, with " + std::to_string(due) + " samples");
    Array<Sample> result = out ? *out : Array<Sample>(shape);
    const Sample* from = in.data();
    Sample* to = result.mutable_data();
    if (count < bulk_samples) {
        self.process(from, count, to, last);
    } else {
        const py::gil_scoped_release released;
        self.process(from, count, to, last);
    }
    return result;
}

}  // namespace

void bind_resampler(py::module_& m) {
    py::class_<Resampler>(m, "Resampler")
        .def(py::init([](int from_hz, int to_hz, std::size_t channels, const std::string& quality) {
                 require(quality == "voice" || quality == "mastering" || quality == "fast",
                         "quality must be 'voice', 'mastering' or 'fast', not '" + quality + "'");
                 return std::make_unique<Resampler>(
                     Resampler::Config{.from_hz = from_hz,
                                       .to_hz = to_hz,
                                       .channels = channels,
                                       .quality = quality == "mastering" ? ResamplerQuality::mastering
                                                  : quality == "fast"    ? ResamplerQuality::fast
                                                                         : ResamplerQuality::voice});
             }),
             py::arg("from_hz"), py::arg("to_hz"), py::arg("channels") = 1, py::arg("quality") = "voice")
        .def("process", &process<float>, py::arg("x").noconvert(), py::arg("last") = false,
             py::arg("out").noconvert() = py::none())
        .def("process", &process<std::int16_t>, py::arg("x").noconvert(), py::arg("last") = false,
             py::arg("out").noconvert() = py::none())
        .def("set_ratio", &Resampler::set_ratio, py::arg("ratio"))
        .def("reset", &Resampler::reset)
        .def_property_readonly("latency_samples", &Resampler::latency_samples);
}

}  // namespace spike::bindings
