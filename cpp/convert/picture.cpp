#include "convert/picture.hpp"

#include <stdexcept>
#include <string>

#include "convert/overlap.hpp"

namespace spike {
namespace {

struct FormatName {
    std::string_view name;
    PixelFormat format;
};

constexpr std::array format_names{
    FormatName{"yuv420p", PixelFormat::i420},  FormatName{"rgb24", PixelFormat::rgb24},
    FormatName{"nv12", PixelFormat::nv12},     FormatName{"yuyv422", PixelFormat::yuyv},
    FormatName{"bgr24", PixelFormat::bgr24},   FormatName{"rgba", PixelFormat::rgba},
    FormatName{"bgra", PixelFormat::bgra},     FormatName{"argb", PixelFormat::argb},
    FormatName{"gray8", PixelFormat::gray8},   FormatName{"gray", PixelFormat::gray8},
    FormatName{"yuvj420p", PixelFormat::i420},
};

template <typename Byte>
Pieces rows_of(const Picture<Byte>& picture, std::size_t plane) noexcept {
    const PlaneShape shape = plane_shape(picture.format, plane, picture.width, picture.height);
    return {picture.planes[plane], picture.strides[plane], shape.rows, shape.row_bytes()};
}

}  // namespace

bool share_bytes(const PictureIn& in, const PictureOut& out) noexcept {
    for (std::size_t from = 0; from < plane_count(in.format); ++from)
        for (std::size_t to = 0; to < plane_count(out.format); ++to)
            if (share_bytes(rows_of(in, from), rows_of(out, to))) return true;
    return false;
}

std::string_view format_name(PixelFormat format) noexcept {
    for (const FormatName& entry : format_names)
        if (entry.format == format) return entry.name;
    return {};
}

PixelFormat pixel_format(std::string_view name) {
    for (const FormatName& entry : format_names)
        if (entry.name == name) return entry.format;
    throw std::invalid_argument(
        "the format must be one of yuv420p, nv12, yuyv422, rgb24, bgr24, rgba, bgra, argb and gray8, not '" +
        std::string(name) + "'");
}

std::size_t pixel_bytes(PixelFormat format) noexcept {
    switch (format) {
        case PixelFormat::rgb24:
        case PixelFormat::bgr24: return 3;
        case PixelFormat::rgba:
        case PixelFormat::bgra:
        case PixelFormat::argb: return 4;
        case PixelFormat::yuyv: return 2;
        default: return 1;
    }
}

bool is_rgb(PixelFormat format) noexcept { return pixel_bytes(format) >= 3; }

bool is_420(PixelFormat format) noexcept { return format == PixelFormat::i420 || format == PixelFormat::nv12; }

std::size_t plane_count(PixelFormat format) noexcept {
    return format == PixelFormat::i420 ? 3 : format == PixelFormat::nv12 ? 2 : 1;
}

PlaneShape plane_shape(PixelFormat format, std::size_t plane, std::size_t width, std::size_t height) noexcept {
    const std::size_t half = (width + 1) / 2;
    if (plane > 0) return {(height + 1) / 2, half, format == PixelFormat::nv12 ? 2u : 1u};
    if (format == PixelFormat::yuyv) return {height, half, 4};
    return {height, width, pixel_bytes(format)};
}

void OwnedPicture::reshape(PixelFormat format, std::size_t width, std::size_t height) {
    picture_ = {format, width, height, {}, {}};
    std::size_t size = 0;
    for (std::size_t plane = 0; plane < plane_count(format); ++plane) {
        const PlaneShape shape = plane_shape(format, plane, width, height);
        size += shape.rows * shape.row_bytes();
    }
    if (bytes_.size() < size) bytes_.resize(size);
    std::uint8_t* at = bytes_.data();
    for (std::size_t plane = 0; plane < plane_count(format); ++plane) {
        const PlaneShape shape = plane_shape(format, plane, width, height);
        picture_.planes[plane] = at;
        picture_.strides[plane] = static_cast<std::ptrdiff_t>(shape.row_bytes());
        at += shape.rows * shape.row_bytes();
    }
}

PictureIn OwnedPicture::in() const noexcept {
    const auto& planes = picture_.planes;
    return {picture_.format, picture_.width, picture_.height, {planes[0], planes[1], planes[2]}, picture_.strides};
}

}  // namespace spike
