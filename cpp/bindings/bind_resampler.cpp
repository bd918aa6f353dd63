#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/turn.hpp"
#include "dsp/resampler.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

// Calls with at least this many samples release the GIL: shorter ones would wait longer to get it back than they take.
constexpr std::size_t bulk_samples = 16384;

ResamplerQuality quality_of(const std::string& name) {
    if (name == "voice") return ResamplerQuality::voice;
    if (name == "mastering") return ResamplerQuality::mastering;
    if (name == "fast") return ResamplerQuality::fast;
    throw std::invalid_argument("quality must be 'voice', 'mastering' or 'fast', not '" + name + "'");
}

// A resampler, and how the samples of its arrays lie: shape (n,) or (n, channels), or (channels, n) where planar.
class ArrayResampler {
  public:
    ArrayResampler(int from_hz, int to_hz, std::size_t channels, bool int16, const std::string& quality, bool planar)
        : resampler_({.from_hz = from_hz, .to_hz = to_hz, .channels = channels, .quality = quality_of(quality)}),
          int16_(int16),
          planar_(planar) {}

    py::object process(const py::object& x, bool last, const py::object& out) {
        return int16_ ? process_as<std::int16_t>(x, last, out) : process_as<float>(x, last, out);
    }
    void set_ratio(double ratio) {
        const Turn turn(lock_);
        resampler_.set_ratio(ratio);
    }
    void reset() {
        const Turn turn(lock_);
        resampler_.reset();
    }
    std::size_t latency_samples() const { return resampler_.latency_samples(); }

  private:
    template <typename Sample>
    py::object process_as(const py::object& x, bool last, const py::object& out);
    template <typename Sample>
    py::array checked(const py::object& object, const char* name) const;
    template <typename Sample>
    py::array output(const py::object& out, const py::array& in, std::size_t due) const;
    template <typename Sample>
    py::array new_output(const py::array& in, std::size_t due) const;
    template <typename Sample, typename Data>
    Strided<Sample> strided(Data* data, const py::array& array) const;
    std::string shape() const;
    py::ssize_t along(const py::array& array) const { return array.ndim() == 2 && planar_ ? 1 : 0; }

    Resampler resampler_;
    bool int16_, planar_;
    Lock lock_;
};

std::string ArrayResampler::shape() const {
    const std::string channels = std::to_string(resampler_.channels());
    const std::string two = planar_ ? "(" + channels + ", n)" : "(n, " + channels + ")";
    return resampler_.channels() == 1 ? "(n,) or " + two : two;
}

// An array of the right dtype and shape whose samples can be stepped to.
template <typename Sample>
py::array ArrayResampler::checked(const py::object& object, const char* name) const {
    if (!py::isinstance<py::array_t<Sample>>(object)) {
        const std::string kind = py::isinstance<py::array>(object)
                                     ? "an array of " + py::str(object.attr("dtype")).cast<std::string>()
                                     : py::type::of(object).attr("__name__").cast<std::string>();
        throw py::type_error(std::string(name) + " must be a NumPy array of " + (int16_ ? "int16" : "float32") +
                             ", not " + kind);
    }
    auto array = py::reinterpret_borrow<py::array>(object);
    const auto channels = static_cast<py::ssize_t>(resampler_.channels());
    const bool mono = array.ndim() == 1 && channels == 1;
    if (!mono && !(array.ndim() == 2 && array.shape(planar_ ? 0 : 1) == channels))
        throw py::value_error(std::string(name) + " must have shape " + shape());
    return array;
}

template <typename Sample, typename Data>
Strided<Sample> ArrayResampler::strided(Data* data, const py::array& array) const {
    constexpr auto size = static_cast<py::ssize_t>(sizeof(Sample));
    const py::ssize_t channel = array.ndim() == 1 ? 0 : array.strides(1 - along(array));
    return {static_cast<Sample*>(data), array.strides(along(array)) / size, channel / size};
}

bool steps_are_samples(const py::array& array, py::ssize_t size) {
    for (py::ssize_t axis = 0; axis < array.ndim(); ++axis)
        if (array.strides(axis) % size != 0) return false;
    return reinterpret_cast<std::uintptr_t>(array.data()) % static_cast<std::uintptr_t>(size) == 0;
}

// The caller's array, where it can take `due` samples of what `in` holds.
template <typename Sample>
py::array ArrayResampler::output(const py::object& out, const py::array& in, std::size_t due) const {
    py::array result = checked<Sample>(out, "out");
    if (result.ndim() != in.ndim() || static_cast<std::size_t>(result.shape(along(result))) != due)
        throw py::value_error("out must have the shape that this call returns, with " + std::to_string(due) +
                              " samples");
    if (!result.writeable() || !steps_are_samples(result, sizeof(Sample)))
        throw py::value_error("out must be writeable and aligned");
    if (overlap(in, result)) throw py::value_error("out must not overlap x");
    return result;
}

template <typename Sample>
py::array ArrayResampler::new_output(const py::array& in, std::size_t due) const {
    if (in.ndim() == 1) return py::array_t<Sample>(static_cast<py::ssize_t>(due));
    const auto length = static_cast<py::ssize_t>(due), channels = static_cast<py::ssize_t>(resampler_.channels());
    return planar_ ? py::array_t<Sample>({channels, length}) : py::array_t<Sample>({length, channels});
}

template <typename Sample>
py::object ArrayResampler::process_as(const py::object& x, bool last, const py::object& out) {
    py::array in = checked<Sample>(x, "x");
    if (!steps_are_samples(in, sizeof(Sample))) in = py::array_t<Sample, py::array::c_style>(in);  // a record's field
    const auto count = static_cast<std::size_t>(in.shape(along(in)));
    const Turn turn(lock_);
    const std::size_t due = resampler_.due(count, last);
    py::array result = out.is_none() ? new_output<Sample>(in, due) : output<Sample>(out, in, due);
    const auto from = strided<const Sample>(in.data(), in);
    const auto to = strided<Sample>(result.mutable_data(), result);
    without_gil_where(count >= bulk_samples, [&] { resampler_.process(from, count, to, last); });
    return std::move(result);
}

}  // namespace

void bind_resampler(py::module_& m) {
    py::class_<ArrayResampler>(m, "Resampler")
        .def(py::init([](int from_hz, int to_hz, int channels, bool int16, const std::string& quality, bool planar) {
                 require(channels >= 1, "channels must be from 1 to 8, not " + std::to_string(channels));
                 return std::make_unique<ArrayResampler>(from_hz, to_hz, static_cast<std::size_t>(channels), int16,
                                                         quality, planar);
             }),
             py::arg("from_hz"), py::arg("to_hz"), py::arg("channels"), py::arg("int16"), py::arg("quality"),
             py::arg("planar"))
        .def("process", &ArrayResampler::process, py::arg("x"), py::arg("last"), py::arg("out"))
        .def("set_ratio", &ArrayResampler::set_ratio, py::arg("ratio"))
        .def("reset", &ArrayResampler::reset)
        .def_property_readonly("latency_samples", &ArrayResampler::latency_samples);
}

}  // namespace spike::bindings
