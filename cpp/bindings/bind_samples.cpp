#include "bindings/bindings.hpp"
#include "bindings/framer.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

// Interleaved samples of `in_channels` to interleaved samples of `out_channels`: fewer are the mean, more are copies.
template <typename From, typename To>
void convert(const Array<From>& in, Array<To>& out, std::size_t in_channels, std::size_t out_channels) {
    const auto count = static_cast<std::size_t>(in.size()) / in_channels;
    require(static_cast<std::size_t>(in.size()) == count * in_channels, "the samples must be whole frames");
    require(static_cast<std::size_t>(out.size()) == count * out_channels,
            "out must have " + std::to_string(count * out_channels) + " samples");
    const From* from = in.data();
    To* to = out.mutable_data();
    const bool mix = in_channels != out_channels;
    for (std::size_t n = 0; n < count; ++n) {
        float mean = 0.0f;
        for (std::size_t channel = 0; mix && channel < in_channels; ++channel)
            mean += to_float(from[n * in_channels + channel]) / static_cast<float>(in_channels);
        for (std::size_t channel = 0; channel < out_channels; ++channel)
            to[n * out_channels + channel] = from_float<To>(mix ? mean : to_float(from[n * in_channels + channel]));
    }
}

template <typename From, typename To>
void define(py::module_& m) {
    m.def("convert_samples", &convert<From, To>, py::arg("in_samples").noconvert(), py::arg("out_samples").noconvert(),
          py::arg("in_channels"), py::arg("out_channels"),
          "Convert interleaved int16 or float32 samples into `out_samples`, and the number of channels with it.");
}

}  // namespace

void bind_samples(py::module_& m) {
    define<std::int16_t, float>(m);
    define<float, std::int16_t>(m);
    define<float, float>(m);
    define<std::int16_t, std::int16_t>(m);
}

}  // namespace spike::bindings
