#include "bindings/av_frame.hpp"

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

// What is known of the type of frames, found out once and under the GIL.
struct Layout {
    bool is_known = false, was_looked_for = false;
    PyTypeObject* type = nullptr;
    std::vector<FormatNumber> formats;
};

Layout& layout() {
    static Layout found;
    return found;
}

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

void look_for(Layout& found, PyTypeObject* type) {
    const py::module_ av = py::module_::import("av");
    if (av.attr("VideoFrame").ptr() != reinterpret_cast<PyObject*>(type)) return;
    found.was_looked_for = true;
    if (type->tp_basicsize < static_cast<py::ssize_t>(sizeof(PyObject) + 2 * sizeof(void*)) || !is_known_version(av))
        return;
    for (const char* name : {"yuv420p", "nv12", "yuyv422", "rgb24", "bgr24", "rgba", "bgra", "argb", "gray"}) {
        const py::object frame = py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(type))(6, 4, name);
        const AvFrame* inside = frame_inside(frame.ptr());
        if (!inside || !agrees(*inside, frame)) return;
        found.formats.push_back({inside->format, pixel_format(name)});
    }
    Py_INCREF(type);
    found.type = type;
    found.is_known = true;
}

bool may_be_video_frame(PyTypeObject* type) { return std::string_view(type->tp_name).ends_with("VideoFrame"); }

}  // namespace

const AvFrame* av_frame_of(py::handle object) {
    Layout& found = layout();
    PyTypeObject* type = Py_TYPE(object.ptr());
    if (!found.was_looked_for && may_be_video_frame(type)) look_for(found, type);
    return found.is_known && type == found.type ? frame_inside(object.ptr()) : nullptr;
}

std::optional<PixelFormat> format_of(const AvFrame& frame) {
    for (const auto& [number, format] : layout().formats)
        if (number == frame.format) return format;
    return std::nullopt;
}

}  // namespace spike::bindings
