#include "bindings/av_frame.hpp"

#include <pybind11/gil_safe_call_once.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace py = pybind11;

namespace spike::bindings {
namespace {

struct FormatNumber {
    int number;
    PixelFormat format;
};

// What is known of PyAV's frames; no type where nothing is.
struct Layout {
    PyTypeObject* type = nullptr;
    std::vector<FormatNumber> formats;
};

// A PyAV frame is a Python object, a table of methods, and the frame.
const AvFrame* frame_inside(PyObject* object) noexcept {
    const AvFrame* frame = nullptr;
    std::memcpy(&frame, reinterpret_cast<const char*>(object) + sizeof(PyObject) + sizeof(void*), sizeof frame);
    return frame;
}

// The versions whose declarations have been read: what a new one keeps in the frame's place may be no address.
bool is_known_version(const py::module_& av) {
    const auto version = py::cast<std::string>(av.attr("__version__"));
    const int major = std::atoi(version.c_str());
    return major >= 14 && major <= 18;
}

bool agrees(const AvFrame& frame, py::handle object) {
    const py::sequence planes = object.attr("planes");
    bool same = frame.width == py::cast<int>(object.attr("width")) &&
                frame.height == py::cast<int>(object.attr("height")) && frame.extended_data == frame.data;
    for (std::size_t plane = 0; plane < planes.size(); ++plane) {
        const py::object view = planes[plane];
        same = same &&
               py::cast<std::uintptr_t>(view.attr("buffer_ptr")) == reinterpret_cast<std::uintptr_t>(frame.data[plane]);
        same = same && py::cast<int>(view.attr("line_size")) == frame.line_size[plane];
    }
    return same;
}

Layout look_at_frames() {
    const py::module_ av = py::module_::import("av");
    const py::object frame_type = av.attr("VideoFrame");
    auto* type = reinterpret_cast<PyTypeObject*>(frame_type.ptr());
    Layout found;
    if (type->tp_basicsize < static_cast<py::ssize_t>(sizeof(PyObject) + 2 * sizeof(void*)) || !is_known_version(av))
        return found;
    for (const char* name : {"yuv420p", "nv12", "yuyv422", "rgb24", "bgr24", "rgba", "bgra", "argb", "gray"}) {
        const py::object frame = frame_type(6, 4, name);
        const AvFrame* inside = frame_inside(frame.ptr());
        if (!inside || !agrees(*inside, frame)) return found;
        found.formats.push_back({inside->format, pixel_format(name)});
    }
    Py_INCREF(type);
    found.type = type;
    return found;
}

const Layout& layout() {
    PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<Layout> kept;
    return kept.call_once_and_store_result(look_at_frames).get_stored();
}

bool may_be_video_frame(PyTypeObject* type) { return std::string_view(type->tp_name).ends_with("VideoFrame"); }

}  // namespace

const AvFrame* av_frame_of(py::handle object) {
    PyTypeObject* type = Py_TYPE(object.ptr());
    return may_be_video_frame(type) && type == layout().type ? frame_inside(object.ptr()) : nullptr;
}

std::optional<PixelFormat> format_of(const AvFrame& frame) {
    for (const auto& [number, format] : layout().formats)
        if (number == frame.format) return format;
    return std::nullopt;
}

}  // namespace spike::bindings
