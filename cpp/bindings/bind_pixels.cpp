#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings/bindings.hpp"
#include "convert/pixels.hpp"

namespace py = pybind11;

namespace spike::bindings {
namespace {

using Plane = py::array_t<std::uint8_t>;

// The planes of a picture as (rows, bytes of a row) arrays, checked before a byte is touched.
template <typename Byte>
Picture<Byte> picture_of(const std::vector<Plane>& planes, const std::string& format, std::size_t width,
                         std::size_t height, const char* name) {
    Picture<Byte> picture{pixel_format(format), width, height, {}, {}};
    if (width == 0 || height == 0) throw py::value_error("width and height must be above 0");
    const std::size_t count = plane_count(picture.format);
    if (planes.size() != count)
        throw py::value_error(std::string(name) + ": " + format + " has " + std::to_string(count) + " planes, not " +
                              std::to_string(planes.size()));
    for (std::size_t index = 0; index < count; ++index) {
        const Plane& plane = planes[index];
        const PlaneShape shape = plane_shape(picture.format, index, width, height);
        if (plane.ndim() != 2 || static_cast<std::size_t>(plane.shape(0)) < shape.rows ||
            static_cast<std::size_t>(plane.shape(1)) < shape.row_bytes || (plane.strides(1) != 1 && plane.shape(1) > 1))
            throw py::value_error(std::string(name) + ": plane " + std::to_string(index) + " of " + format + " at " +
                                  std::to_string(width) + "x" + std::to_string(height) + " needs " +
                                  std::to_string(shape.rows) + " rows of " + std::to_string(shape.row_bytes) +
                                  " bytes in one piece");
        if constexpr (std::is_const_v<Byte>) {
            picture.planes[index] = plane.data();
        } else {
            if (!plane.writeable()) throw py::value_error(std::string(name) + " must be writeable");
            picture.planes[index] = const_cast<std::uint8_t*>(plane.data());
        }
        picture.strides[index] = plane.strides(0);
    }
    return picture;
}

void convert(const std::vector<Plane>& in, const std::string& in_format, std::pair<std::size_t, std::size_t> in_size,
             const std::vector<Plane>& out, const std::string& out_format, std::pair<std::size_t, std::size_t> out_size,
             bool bt601, bool full_range) {
    const auto from = picture_of<const std::uint8_t>(in, in_format, in_size.first, in_size.second, "the picture");
    const auto to = picture_of<std::uint8_t>(out, out_format, out_size.first, out_size.second, "out");
    const Colour colour{bt601 ? Colour::Matrix::bt601 : Colour::Matrix::bt709, full_range};
    const py::gil_scoped_release released;
    convert_picture(from, to, colour);
}

}  // namespace

void bind_pixels(py::module_& m) {
    m.def("convert_picture", &convert, py::arg("in_planes"), py::arg("in_format"), py::arg("in_size"),
          py::arg("out_planes"), py::arg("out_format"), py::arg("out_size"), py::arg("bt601"), py::arg("full_range"),
          "Convert planes of (rows, bytes) uint8 into planes; sizes are (width, height). Releases the GIL.");
}

}  // namespace spike::bindings
