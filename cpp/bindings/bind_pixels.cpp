#include <pybind11/numpy.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "bindings/bindings.hpp"
#include "bindings/numbers.hpp"
#include "bindings/python_picture.hpp"
#include "convert/pixels.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

using Access = PythonPicture::Access;

constexpr std::int64_t longest_side = std::numeric_limits<std::int32_t>::max();  // FFmpeg's numbers have 32 bits

std::string_view text_of(py::handle object, const char* name) {
    const char* text = PyUnicode_Check(object.ptr()) ? PyUnicode_AsUTF8(object.ptr()) : nullptr;
    if (!text) throw py::type_error(std::string(name) + " must be a str, not " + Py_TYPE(object.ptr())->tp_name);
    return text;
}

PythonPicture source_of(py::handle source, py::handle format, const char* name) {
    if (format.is_none()) return PythonPicture::of_frame(source, name);
    const PixelFormat pixels = pixel_format(text_of(format, "the format"));
    return PythonPicture::is_sequence(source) ? PythonPicture::of_planes(source, pixels, Access::read, name)
                                              : PythonPicture::of_array(source, pixels, Access::read, name);
}

[[noreturn]] void refuse(const char* name, const char* accepted, std::string_view value) {
    throw py::value_error(std::string(name) + " must be " + accepted + ", not '" + std::string(value) + "'");
}

void read_colour(py::handle colorspace, py::handle color_range, Colour& colour) {
    if (!colorspace.is_none()) {
        const std::string_view text = text_of(colorspace, "colorspace");
        if (text != "bt601" && text != "bt709") refuse("colorspace", "'bt601' or 'bt709'", text);
        colour.matrix = text == "bt601" ? Colour::Matrix::bt601 : Colour::Matrix::bt709;
    }
    if (!color_range.is_none()) {
        const std::string_view text = text_of(color_range, "color_range");
        if (text != "limited" && text != "full") refuse("color_range", "'limited' or 'full'", text);
        colour.full_range = text == "full";
    }
}

Scaling scaling_of(py::handle scaling) {
    const std::string_view text = text_of(scaling, "scaling");
    if (text == "area") return Scaling::area;
    if (text == "bilinear") return Scaling::bilinear;
    if (text == "bicubic") return Scaling::bicubic;
    refuse("scaling", "'area', 'bilinear' or 'bicubic'", text);
}

// The part of a picture that `crop`, (x, y, width, height), names.
PictureIn cropped(const PictureIn& whole, py::handle crop) {
    if (crop.is_none()) return whole;
    std::size_t x = 0, y = 0, width = 0, height = 0;
    if (!PyTuple_Check(crop.ptr()) || PyTuple_GET_SIZE(crop.ptr()) != 4)
        throw py::type_error("crop must be a tuple (x, y, width, height)");
    std::size_t* const numbers[] = {&x, &y, &width, &height};
    for (py::ssize_t index = 0; index < 4; ++index) {
        constexpr const char* names[] = {"x of crop", "y of crop", "width of crop", "height of crop"};
        const py::handle number = PyTuple_GET_ITEM(crop.ptr(), index);
        *numbers[index] = static_cast<std::size_t>(whole_number(number, names[index], index < 2 ? 0 : 1, longest_side));
    }
    if (x >= whole.width || width > whole.width - x || y >= whole.height || height > whole.height - y)
        throw py::value_error("crop must lie within the picture of " + std::to_string(whole.width) + "x" +
                              std::to_string(whole.height));
    const bool shares_columns = is_420(whole.format) || whole.format == PixelFormat::yuyv;
    if ((shares_columns && x % 2) || (is_420(whole.format) && y % 2))
        throw py::value_error("crop must begin on an even column and row where pixels share their chroma");
    PictureIn part = whole.rows(y, height);
    part.width = width;
    for (std::size_t plane = 0; plane < plane_count(whole.format); ++plane) {
        const std::size_t bytes = plane_shape(whole.format, plane, 1, 1).bytes;
        part.planes[plane] += (plane || whole.format == PixelFormat::yuyv ? x / 2 : x) * bytes;
    }
    return part;
}

std::size_t length_of(py::handle object, const char* name, std::size_t otherwise) {
    return object.is_none() ? otherwise : static_cast<std::size_t>(whole_number(object, name, 1, longest_side));
}

int rotation_of(py::handle object) {
    const std::int64_t degrees = whole_number(object, "rotate", -longest_side, longest_side);
    if (degrees != 0 && degrees != 90 && degrees != 180 && degrees != 270)
        throw py::value_error("rotate must be 0, 90, 180 or 270, not " + std::to_string(degrees));
    return static_cast<int>(degrees);
}

// Where a picture goes that is no frame: an array or planes, by default a new array.
PythonPicture array_of(py::object& out, PixelFormat format, std::size_t width, std::size_t height) {
    if (out.is_none()) {
        int dimensions = 0;
        const auto shape = array_shape(format, width, height, dimensions);
        out = Plane(std::vector<py::ssize_t>(shape.begin(), shape.begin() + dimensions));
    }
    return PythonPicture::is_sequence(out) ? PythonPicture::of_planes(out, format, Access::write, "out")
                                           : PythonPicture::of_array(out, format, Access::write, "out");
}

PythonPicture frame_of(py::object& out, std::string_view format, std::size_t width, std::size_t height) {
    if (out.is_none())
        out = py::module_::import("av").attr("VideoFrame")(width, height, format == "gray8" ? "gray" : format);
    return PythonPicture::of_frame(out, "out");
}

std::string size_and_format(const PictureOut& picture) {
    return std::to_string(picture.width) + "x" + std::to_string(picture.height) + " in " +
           std::string(format_name(picture.format));
}

py::object convert(py::handle source, py::handle from_format, py::handle to_format, bool to_frame, py::handle width,
                   py::handle height, py::handle colorspace, py::handle color_range, py::object out, py::handle crop,
                   py::handle rotate, bool mirror, py::handle scaling) {
    const PythonPicture from = source_of(source, from_format, from_format.is_none() ? "video_frame" : "the picture");
    const std::string_view format = text_of(to_format, "the format");
    const PictureIn in = cropped(from.in(), crop);
    Conversion conversion{from.colour(), scaling_of(scaling), {rotation_of(rotate), mirror}};
    const bool turned = conversion.orientation.on_its_side();
    const PictureOut wanted{pixel_format(format),
                            length_of(width, "width", turned ? in.height : in.width),
                            length_of(height, "height", turned ? in.width : in.height),
                            {},
                            {}};
    const PythonPicture to = to_frame ? frame_of(out, format, wanted.width, wanted.height)
                                      : array_of(out, wanted.format, wanted.width, wanted.height);
    const PictureOut& picture = to.out();
    if (picture.width != wanted.width || picture.height != wanted.height || picture.format != wanted.format)
        throw py::value_error("out must be a picture of " + size_and_format(wanted) + ", not of " +
                              size_and_format(picture));
    if (share_bytes(in, picture)) throw py::value_error("out must not share memory with the picture");
    if (!from_format.is_none()) conversion.colour = to.colour();  // what a frame that is written says of itself
    read_colour(colorspace, color_range, conversion.colour);
    {
        const py::gil_scoped_release released;
        convert_picture(in, picture, conversion);
    }
    return out;
}

}  // namespace

void bind_pixels(py::module_& m) {
    m.def("convert_picture", &convert, py::arg("source"), py::arg("from_format").none(true), py::arg("to_format"),
          py::arg("to_frame"), py::arg("width"), py::arg("height"), py::arg("colorspace"), py::arg("color_range"),
          py::arg("out"), py::arg("crop"), py::arg("rotate"), py::arg("mirror"), py::arg("scaling"),
          "Convert a picture; frames.py says how. Without `from_format` the source is a frame. Releases the GIL.");
}

}  // namespace spike::bindings
