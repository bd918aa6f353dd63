#include "bindings/python_picture.hpp"

#include <cstdlib>
#include <string>
#include <utility>

#include "bindings/av_frame.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

std::string size_text(std::size_t width, std::size_t height) {
    return std::to_string(width) + "x" + std::to_string(height);
}

std::string shape_text(const py::array& array) { return py::str(array.attr("shape")); }

py::array bytes_array(py::handle object, const char* name) {
    if (!py::isinstance<py::array>(object))
        throw py::type_error(std::string(name) + " must be a NumPy array of uint8, not " +
                             Py_TYPE(object.ptr())->tp_name);
    auto array = py::reinterpret_borrow<py::array>(object);
    if (array.dtype().num() != py::detail::npy_api::NPY_UBYTE_)
        throw py::type_error(std::string(name) + " must be a NumPy array of uint8, not an array of " +
                             std::string(py::str(array.dtype())));
    return array;
}

// The attribute of a frame; TypeError for what is no frame.
py::object attribute(py::handle object, PyObject* attribute_name, const char* name) {
    PyObject* found = PyObject_GetAttr(object.ptr(), attribute_name);
    if (found) return py::reinterpret_steal<py::object>(found);
    PyErr_Clear();
    throw py::type_error(std::string(name) + " must be an av.VideoFrame, not " + Py_TYPE(object.ptr())->tp_name);
}

std::ptrdiff_t number(py::handle object, PyObject* attribute_name, const char* name) {
    const py::object value = attribute(object, attribute_name, name);
    const Py_ssize_t result = PyLong_AsSsize_t(value.ptr());
    if (result == -1 && PyErr_Occurred()) throw py::error_already_set();
    return result;
}

// The names of what is read of a frame, made once.
struct Names {
    static const Names& get() {
        static const Names names;
        return names;
    }
    PyObject* format = PyUnicode_InternFromString("format");
    PyObject* name = PyUnicode_InternFromString("name");
    PyObject* width = PyUnicode_InternFromString("width");
    PyObject* height = PyUnicode_InternFromString("height");
    PyObject* planes = PyUnicode_InternFromString("planes");
    PyObject* line_size = PyUnicode_InternFromString("line_size");
    PyObject* buffer_ptr = PyUnicode_InternFromString("buffer_ptr");
    PyObject* colorspace = PyUnicode_InternFromString("colorspace");
    PyObject* color_range = PyUnicode_InternFromString("color_range");
};

bool side_by_side(const py::array& array, PixelFormat format) {
    if (format == PixelFormat::i420) return (array.flags() & py::array::c_style) != 0;
    const py::ssize_t bytes = array.ndim() == 3 ? array.shape(2) : 1;
    return (array.ndim() < 3 || array.strides(2) == 1) && (array.shape(1) == 1 || array.strides(1) == bytes);
}

std::uint8_t* bytes_of(const py::array& array) noexcept {
    return reinterpret_cast<std::uint8_t*>(py::detail::array_proxy(array.ptr())->data);
}

void require_writeable(const py::array& array, const char* name) {
    if (!array.writeable()) throw py::value_error(std::string(name) + " must be writeable");
}

}  // namespace

std::array<py::ssize_t, 3> array_shape(PixelFormat format, std::size_t width, std::size_t height, int& dimensions) {
    const auto w = static_cast<py::ssize_t>(width), h = static_cast<py::ssize_t>(height);
    dimensions = 2;
    if (is_420(format)) {
        if (width % 2 || height % 2)
            throw py::value_error(
                "an array in a format whose pixels share chroma needs an even width and height, not " +
                size_text(width, height));
        return {h / 2 * 3, w, 1};
    }
    const auto bytes = static_cast<py::ssize_t>(pixel_bytes(format));
    if (format == PixelFormat::yuyv && width % 2)
        throw py::value_error("an array in yuyv422 needs an even width, not " + std::to_string(width));
    if (bytes > 1) dimensions = 3;
    return {h, w, bytes};
}

PythonPicture PythonPicture::of_array(py::handle object, PixelFormat format, Access access, const char* name) {
    py::array array = bytes_array(object, name);
    if (array.ndim() < 2 || array.size() == 0)
        throw py::value_error(std::string(name) + " has at least one row and one column; this array has shape " +
                              shape_text(array));
    PythonPicture made(format);
    PictureOut& picture = made.picture_;
    picture.width = static_cast<std::size_t>(array.shape(1));
    picture.height = static_cast<std::size_t>(is_420(format) ? array.shape(0) * 2 / 3 : array.shape(0));
    int dimensions = 0;
    const auto shape = array_shape(format, picture.width, picture.height, dimensions);
    bool fits = array.ndim() == dimensions;
    for (int axis = 0; fits && axis < dimensions; ++axis) fits = array.shape(axis) == shape[axis];
    if (!fits)
        throw py::value_error(std::string(name) + " does not have the shape of its format: " + shape_text(array));
    if (access == Access::write) {
        require_writeable(array, name);
        if (!side_by_side(array, format))
            throw py::value_error(std::string(name) + ": the pixels of a row must lie side by side");
    } else if (!side_by_side(array, format)) {
        array = py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>::ensure(array);
    }
    const auto stride = array.strides(0);
    picture.planes[0] = bytes_of(array);
    picture.strides[0] = stride;
    if (is_420(format)) {
        picture.planes[1] = picture.planes[0] + static_cast<py::ssize_t>(picture.height) * stride;
        picture.strides[1] = picture.strides[2] = format == PixelFormat::nv12 ? stride : stride / 2;
        picture.planes[2] = picture.planes[1] + static_cast<py::ssize_t>(picture.height / 2) * (stride / 2);
    }
    made.kept_[0] = std::move(array);
    return made;
}

PythonPicture PythonPicture::of_planes(py::handle object, PixelFormat format, Access access, const char* name) {
    const auto planes = py::reinterpret_borrow<py::sequence>(object);
    PythonPicture made(format);
    PictureOut& picture = made.picture_;
    if (planes.size() != plane_count(format))
        throw py::value_error(std::string(name) + " in this format has " + std::to_string(plane_count(format)) +
                              " planes, not " + std::to_string(planes.size()));
    for (std::size_t index = 0; index < planes.size(); ++index) {
        const py::object item = planes[index];
        py::array plane = bytes_array(item, "a plane");
        if (plane.ndim() != 2 || plane.size() == 0)
            throw py::value_error("planes must be arrays of shape (rows, bytes), and not be empty");
        if (index == 0) {
            picture.height = static_cast<std::size_t>(plane.shape(0));
            picture.width = static_cast<std::size_t>(plane.shape(1)) / pixel_bytes(format);
        }
        const PlaneShape shape = plane_shape(format, index, picture.width, picture.height);
        if (shape.pixels == 0 || static_cast<std::size_t>(plane.shape(0)) < shape.rows ||
            static_cast<std::size_t>(plane.shape(1)) < shape.row_bytes() ||
            (plane.strides(1) != 1 && plane.shape(1) > 1))
            throw py::value_error(std::string(name) + ": plane " + std::to_string(index) + " at " +
                                  size_text(picture.width, picture.height) + " needs " + std::to_string(shape.rows) +
                                  " rows of " + std::to_string(shape.row_bytes()) + " bytes in one piece");
        if (access == Access::write) require_writeable(plane, name);
        picture.planes[index] = bytes_of(plane);
        picture.strides[index] = plane.strides(0);
        made.kept_[index] = std::move(plane);
    }
    return made;
}

PythonPicture PythonPicture::of_frame(py::handle frame, const char* name) {
    const AvFrame* inside = av_frame_of(frame);
    const auto known = inside ? format_of(*inside) : std::nullopt;
    if (known) {
        PythonPicture made(*known);
        PictureOut& picture = made.picture_;
        picture.width = static_cast<std::size_t>(inside->width);
        picture.height = static_cast<std::size_t>(inside->height);
        for (std::size_t plane = 0; plane < plane_count(*known); ++plane) {
            if (!inside->data[plane]) throw py::value_error(std::string(name) + " holds no picture");
            picture.planes[plane] = inside->data[plane];
            picture.strides[plane] = inside->line_size[plane];
        }
        made.kept_[0] = py::reinterpret_borrow<py::object>(frame);
        made.take_colour(frame, name);
        return made;
    }
    const Names& names = Names::get();
    const py::object format = attribute(frame, names.format, name);
    if (format.is_none()) throw py::value_error(std::string(name) + " holds no picture");
    const py::object format_name = attribute(format, names.name, name);
    const char* text = PyUnicode_Check(format_name.ptr()) ? PyUnicode_AsUTF8(format_name.ptr()) : "";
    PythonPicture made(pixel_format(text));
    made.take_planes(frame, name);
    made.take_colour(frame, name);
    made.colour_.full_range |= std::string_view(text) == "yuvj420p";
    return made;
}

void PythonPicture::take_colour(py::handle frame, const char* name) {
    constexpr std::ptrdiff_t bt709 = 1, full = 2;  // of FFmpeg's AVColorSpace and AVColorRange
    if (number(frame, Names::get().colorspace, name) == bt709) colour_.matrix = Colour::Matrix::bt709;
    colour_.full_range = number(frame, Names::get().color_range, name) == full;
}

// By the buffer protocol, which begins with the row that lies lowest in memory; before PyAV 17 it begins with the
// first, and then does not cover a picture whose rows go backwards.
void PythonPicture::take_planes(py::handle frame, const char* name) {
    const Names& names = Names::get();
    picture_.width = static_cast<std::size_t>(number(frame, names.width, name));
    picture_.height = static_cast<std::size_t>(number(frame, names.height, name));
    const auto planes = py::reinterpret_borrow<py::sequence>(attribute(frame, names.planes, name));
    if (picture_.width == 0 || picture_.height == 0 || planes.size() != plane_count(picture_.format))
        throw py::value_error(std::string(name) + " holds no picture");
    for (std::size_t index = 0; index < planes.size(); ++index) {
        const py::object plane = planes[index];
        const std::ptrdiff_t stride = number(plane, names.line_size, name);
        const PlaneShape shape = plane_shape(picture_.format, index, picture_.width, picture_.height);
        const auto span = (shape.rows - 1) * static_cast<std::size_t>(std::abs(stride));
        Py_buffer& buffer = buffers_[index];
        if (PyObject_GetBuffer(plane.ptr(), &buffer, PyBUF_SIMPLE) != 0) throw py::error_already_set();
        if (static_cast<std::size_t>(buffer.len) < span + shape.row_bytes())
            throw py::value_error(std::string(name) + ": plane " + std::to_string(index) +
                                  " is shorter than its picture");
        auto* first = static_cast<std::uint8_t*>(buffer.buf) + (stride < 0 ? span : 0);
        if (stride < 0 && reinterpret_cast<std::uint8_t*>(number(plane, names.buffer_ptr, name)) != first)
            throw py::value_error(std::string(name) + ": this PyAV does not export rows that go backwards");
        picture_.planes[index] = first;
        picture_.strides[index] = stride;
    }
}

PythonPicture::PythonPicture(PythonPicture&& other) noexcept
    : picture_(other.picture_),
      colour_(other.colour_),
      kept_(std::move(other.kept_)),
      buffers_(std::exchange(other.buffers_, {})) {}

PythonPicture::~PythonPicture() {
    for (Py_buffer& buffer : buffers_)
        if (buffer.obj) PyBuffer_Release(&buffer);
}

PictureIn PythonPicture::in() const noexcept {
    const auto& planes = picture_.planes;
    return {picture_.format, picture_.width, picture_.height, {planes[0], planes[1], planes[2]}, picture_.strides};
}

}  // namespace spike::bindings
