#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bindings/bindings.hpp"
#include "bindings/numbers.hpp"
#include "convert/sample_blocks.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

// The GIL is held throughout: a frame takes less time than a switch of threads.

struct Kind {
    SampleType type;
    std::size_t bytes;
};

Kind kind_of(std::string_view dtype) {
    if (dtype == "float32") return {SampleType::float32, 4};
    if (dtype == "int16") return {SampleType::int16, 2};
    if (dtype == "int32") return {SampleType::int32, 4};
    throw py::value_error("dtype must be 'float32', 'int16' or 'int32', not '" + std::string(dtype) + "'");
}

std::string_view dtype_of(const py::array& array, const char* name) {
    switch (array.dtype().num()) {
        case py::detail::npy_api::NPY_FLOAT_: return "float32";
        case py::detail::npy_api::NPY_SHORT_: return "int16";
        case py::detail::npy_api::NPY_INT_: return "int32";
        default: break;
    }
    throw py::type_error(std::string(name) + " must be a NumPy array of float32, int16 or int32, not of " +
                         std::string(py::str(array.dtype())));
}

template <typename Void>
using Block = SampleBlock<Void>;

// Shape (n,) is mono, else (n, channels), or (channels, n) where each channel lies by itself.
template <typename Void>
Block<Void> block_of(const py::array& array, bool planar, const char* name) {
    const Kind kind = kind_of(dtype_of(array, name));
    const bool mono = array.ndim() == 1;
    const py::ssize_t channels = mono ? 1 : array.ndim() == 2 ? array.shape(planar ? 0 : 1) : 0;
    if (channels < 1 || channels > static_cast<py::ssize_t>(most_channels))
        throw py::value_error(std::string(name) + " must have shape (n,) or " +
                              (planar ? "(channels, n)" : "(n, channels)") + " with 1 to 8 channels, not " +
                              std::string(py::str(array.attr("shape"))));
    const int along = mono || !planar ? 0 : 1;
    Block<Void> block{kind.type,
                      static_cast<std::size_t>(array.shape(along)),
                      static_cast<std::size_t>(channels),
                      array.strides(along) / static_cast<py::ssize_t>(kind.bytes),
                      {}};
    auto* data = py::detail::array_proxy(array.ptr())->data;
    for (py::ssize_t channel = 0; channel < channels; ++channel)
        block.data[static_cast<std::size_t>(channel)] = data + (mono ? 0 : channel * array.strides(1 - along));
    return block;
}

py::array checked_array(py::handle object, const char* name) {
    if (!py::isinstance<py::array>(object))
        throw py::type_error(std::string(name) + " must be a NumPy array of float32, int16 or int32, not " +
                             Py_TYPE(object.ptr())->tp_name);
    return py::reinterpret_borrow<py::array>(object);
}

// Whether samples lie as this machine computes with them: in its byte order, and whole steps apart.
bool is_plain(const py::array& array) {
    bool plain = array.dtype().byteorder() != '>' && (array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0;
    for (py::ssize_t axis = 0; plain && axis < array.ndim(); ++axis)
        plain = array.strides(axis) % array.itemsize() == 0;
    return plain;
}

// What is read: an array, or a copy of it that is plain, as of a field of records or of samples from a file.
py::array input_of(py::handle object) {
    const py::array array = checked_array(object, "a");
    dtype_of(array, "a");
    if (is_plain(array)) return array;
    const py::object native = array.attr("dtype").attr("newbyteorder")("=");
    return py::module_::import("numpy").attr("array")(array, native, py::arg("order") = "C");
}

py::array output_of(py::handle out, std::string_view dtype, std::size_t count, std::size_t channels, bool planar) {
    const auto n = static_cast<py::ssize_t>(count), c = static_cast<py::ssize_t>(channels);
    py::array::ShapeContainer shape = channels == 1 ? std::vector{n} : planar ? std::vector{c, n} : std::vector{n, c};
    if (out.is_none()) {
        kind_of(dtype);
        return py::array(dtype == "float32" ? py::dtype::of<float>()
                         : dtype == "int16" ? py::dtype::of<std::int16_t>()
                                            : py::dtype::of<std::int32_t>(),
                         std::move(shape));
    }
    py::array array = checked_array(out, "out");
    const bool right_type = dtype_of(array, "out") == dtype;
    if (!is_plain(array)) throw py::value_error("out must be aligned, and in this machine's byte order");
    bool fits = right_type && array.writeable() && static_cast<std::size_t>(array.ndim()) == shape->size();
    for (std::size_t axis = 0; fits && axis < shape->size(); ++axis)
        fits = array.shape(static_cast<py::ssize_t>(axis)) == (*shape)[axis];
    if (!fits)
        throw py::value_error("out must be a writeable array of " + std::string(dtype) + " with shape " +
                              std::string(py::str(py::cast(*shape))));
    return array;
}

using Seed = std::optional<std::uint32_t>;

std::size_t channels_of(py::handle channels, std::size_t otherwise) {
    return channels.is_none() ? otherwise
                              : static_cast<std::size_t>(whole_number(channels, "channels", 1, most_channels));
}

Seed seed_of(py::handle dither) {
    if (dither.is_none()) return {};
    return static_cast<std::uint32_t>(whole_number(dither, "dither", 0, std::numeric_limits<std::uint32_t>::max()));
}

void require_apart(const SamplesIn& in, const SamplesOut& out) {
    if (share_bytes(in, out)) throw py::value_error("out must not share memory with the samples");
}

py::array convert_into(const SamplesIn& in, std::string_view dtype, py::handle channels, bool planar, py::handle dither,
                       py::handle out) {
    const std::size_t count = channels_of(channels, in.channels);
    py::array made = output_of(out, dtype, in.count, count, planar);
    const auto block = block_of<void>(made, planar, "out");
    require_apart(in, block);
    spike::convert_samples(in, block, seed_of(dither));
    return made;
}

// The planes of an av.AudioFrame, held while they are read or written.
class HeldFrame {
  public:
    explicit HeldFrame(py::handle frame) {
        static PyObject* const samples = PyUnicode_InternFromString("samples");
        static PyObject* const planes = PyUnicode_InternFromString("planes");
        static PyObject* const format = PyUnicode_InternFromString("format");
        static PyObject* const layout = PyUnicode_InternFromString("layout");
        static PyObject* const name = PyUnicode_InternFromString("name");
        static PyObject* const nb_channels = PyUnicode_InternFromString("nb_channels");
        const py::object text = get(get(frame, format), name);
        const std::string_view kind = PyUnicode_Check(text.ptr()) ? PyUnicode_AsUTF8(text.ptr()) : "";
        const bool planar = kind.ends_with('p');
        const std::string_view packed = kind.substr(0, kind.size() - planar);
        if (packed != "s16" && packed != "s32" && packed != "flt") refuse(frame);
        const Kind type = kind_of(packed == "s16" ? "int16" : packed == "s32" ? "int32" : "float32");
        block_.type = type.type;
        block_.channels = py::cast<std::size_t>(get(get(frame, layout), nb_channels));
        block_.count = py::cast<std::size_t>(get(frame, samples));
        if (block_.channels < 1 || block_.channels > most_channels)
            throw py::value_error("audio_frame must have 1 to 8 channels, not " + std::to_string(block_.channels));
        block_.stride = planar ? 1 : static_cast<std::ptrdiff_t>(block_.channels);
        planes_ = get(frame, planes);
        take(planar ? block_.channels : 1, type.bytes);
    }
    HeldFrame(const HeldFrame&) = delete;
    HeldFrame& operator=(const HeldFrame&) = delete;
    ~HeldFrame() {
        for (Py_buffer& buffer : buffers_)
            if (buffer.obj) PyBuffer_Release(&buffer);
    }

    const SamplesOut& out() const noexcept { return block_; }
    SamplesIn in() const noexcept {
        SamplesIn block{block_.type, block_.count, block_.channels, block_.stride, {}};
        std::copy(block_.data.begin(), block_.data.end(), block.data.begin());
        return block;
    }

  private:
    [[noreturn]] static void refuse(py::handle frame) {
        throw py::type_error("audio_frame must be an av.AudioFrame in s16, s32 or flt, or one of these planar, not " +
                             std::string(py::repr(frame)));
    }

    static py::object get(py::handle object, PyObject* attribute) {
        PyObject* found = PyObject_GetAttr(object.ptr(), attribute);
        if (found) return py::reinterpret_steal<py::object>(found);
        PyErr_Clear();
        refuse(object);
    }

    void take(std::size_t count, std::size_t bytes) {
        const auto planes = py::reinterpret_borrow<py::sequence>(planes_);
        if (planes.size() < count) throw py::value_error("audio_frame holds no samples");
        const std::size_t needed = block_.count * bytes * (block_.channels / count);
        for (std::size_t index = 0; index < count; ++index) {
            const py::object plane = planes[index];
            if (PyObject_GetBuffer(plane.ptr(), &buffers_[index], PyBUF_SIMPLE) != 0) throw py::error_already_set();
            if (static_cast<std::size_t>(buffers_[index].len) < needed)
                throw py::value_error("a plane of audio_frame is shorter than its samples");
            block_.data[index] = buffers_[index].buf;
        }
        for (std::size_t channel = count; channel < block_.channels; ++channel)
            block_.data[channel] = static_cast<char*>(block_.data[0]) + channel * bytes;
    }

    SamplesOut block_{};
    py::object planes_;
    std::array<Py_buffer, most_channels> buffers_{};
};

py::array samples_of_frame(py::handle frame, std::string_view dtype, py::handle channels, bool planar,
                           py::handle dither, py::handle out) {
    const HeldFrame held(frame);
    return convert_into(held.in(), dtype, channels, planar, dither, out);
}

void samples_to_frame(py::handle array, py::handle frame, bool planar, py::handle dither) {
    const HeldFrame held(frame);
    const py::array samples = input_of(array);
    const auto in = block_of<const void>(samples, planar, "a");
    if (in.count != held.out().count)
        throw py::value_error("out must be a frame of " + std::to_string(in.count) + " samples, not " +
                              std::to_string(held.out().count));
    require_apart(in, held.out());
    spike::convert_samples(in, held.out(), seed_of(dither));
}

py::array convert_array(py::handle array, std::string_view dtype, py::handle channels, bool planar_in, bool planar_out,
                        py::handle dither, py::handle out) {
    const py::array samples = input_of(array);
    return convert_into(block_of<const void>(samples, planar_in, "a"), dtype, channels, planar_out, dither, out);
}

}  // namespace

void bind_samples(py::module_& m) {
    m.def("samples_of_frame", &samples_of_frame, py::arg("audio_frame"), py::arg("dtype"), py::arg("channels"),
          py::arg("planar"), py::arg("dither"), py::arg("out"), "The samples of an av.AudioFrame as an array.");
    m.def("samples_to_frame", &samples_to_frame, py::arg("a"), py::arg("audio_frame"), py::arg("planar"),
          py::arg("dither"), "Write an array into an av.AudioFrame.");
    m.def("convert_samples", &convert_array, py::arg("a"), py::arg("dtype"), py::arg("channels"), py::arg("planar_in"),
          py::arg("planar_out"), py::arg("dither"), py::arg("out"), "Convert an array; frames.py says how.");
}

}  // namespace spike::bindings
