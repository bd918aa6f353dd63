// Pictures that Python holds: arrays, planes of their own, and av.VideoFrame, read and written in place.
#pragma once

#include <pybind11/numpy.h>

#include <array>
#include <optional>
#include <string_view>

#include "convert/pixels.hpp"

namespace spike::bindings {

using Plane = pybind11::array_t<std::uint8_t>;

// A picture and what keeps its memory alive. Everything is checked against the geometry before a byte is touched:
// what is no picture raises TypeError, what does not fit ValueError; `name` begins the message.
class PythonPicture {
  public:
    enum class Access { read, write };

    // An array in the shape that the Python module documents for the format.
    static PythonPicture of_array(pybind11::handle array, PixelFormat format, Access access, const char* name);
    // A sequence of arrays of shape (rows, bytes); the size is that of the first where none is given.
    static PythonPicture of_planes(pybind11::handle planes, PixelFormat format, Access access, const char* name);
    // An av.VideoFrame, with the colours that it says it has.
    static PythonPicture of_frame(pybind11::handle frame, const char* name);
    static bool is_array(pybind11::handle object) { return pybind11::isinstance<pybind11::array>(object); }
    static bool is_sequence(pybind11::handle object) {
        return pybind11::isinstance<pybind11::list>(object) || pybind11::isinstance<pybind11::tuple>(object);
    }

    PythonPicture(PythonPicture&& other) noexcept;
    PythonPicture(const PythonPicture&) = delete;
    PythonPicture& operator=(const PythonPicture&) = delete;
    PythonPicture& operator=(PythonPicture&&) = delete;
    ~PythonPicture();

    const PictureOut& out() const noexcept { return picture_; }
    PictureIn in() const noexcept;
    const Colour& colour() const noexcept { return colour_; }

  private:
    explicit PythonPicture(PixelFormat format) : picture_{format, 0, 0, {}, {}} {}
    void take_planes(pybind11::handle frame, const char* name);
    void take_colour(pybind11::handle frame, const char* name);

    PictureOut picture_;
    Colour colour_{Colour::Matrix::bt601, false};
    std::array<pybind11::object, 3> kept_;
    std::array<Py_buffer, 3> buffers_{};
};

// The shape of an array in `format`; ValueError where it has none of that size.
std::array<pybind11::ssize_t, 3> array_shape(PixelFormat format, std::size_t width, std::size_t height,
                                             int& dimensions);

}  // namespace spike::bindings
