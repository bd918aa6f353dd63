#include "convert/same_size.hpp"

#include <algorithm>
#include <cstring>

namespace spike {
namespace {

PackedOrder order_of(PixelFormat format) noexcept {
    switch (format) {
        case PixelFormat::bgr24: return bgr24_order;
        case PixelFormat::rgba: return rgba_order;
        case PixelFormat::bgra: return bgra_order;
        case PixelFormat::argb: return argb_order;
        default: return rgb24_order;
    }
}

ChromaLayout layout_of(PixelFormat format) noexcept {
    if (format == PixelFormat::i420) return planar_chroma;
    return format == PixelFormat::gray8 ? no_chroma : paired_chroma;
}

// The places in `lines_`.
enum Line : std::size_t { luma_line, chroma_line, second_line, third_line, line_count };

bool needs_lines(PixelFormat from, PixelFormat to) noexcept {
    if (from == to) return false;
    if (from == PixelFormat::yuyv || to == PixelFormat::yuyv) return true;
    return (is_rgb(from) && to == PixelFormat::nv12) || (from == PixelFormat::gray8 && !is_rgb(to));
}

void copy_plane(const PictureIn& in, const PictureOut& out, std::size_t plane) noexcept {
    const PlaneShape shape = plane_shape(in.format, plane, in.width, in.height);
    const auto bytes = static_cast<std::ptrdiff_t>(shape.row_bytes());
    if (in.strides[plane] == bytes && out.strides[plane] == bytes) {
        std::memcpy(out.planes[plane], in.planes[plane], shape.rows * shape.row_bytes());
        return;
    }
    for (std::size_t y = 0; y < shape.rows; ++y) std::memcpy(out.row(plane, y), in.row(plane, y), shape.row_bytes());
}

void copy(const PictureIn& in, const PictureOut& out) noexcept {
    for (std::size_t plane = 0; plane < plane_count(in.format); ++plane) copy_plane(in, out, plane);
}

}  // namespace

SameSize::SameSize(PixelFormat from, PixelFormat to, std::size_t width, const Colour& colour,
                   std::vector<std::uint8_t>& lines)
    : rows_(pixel_rows_kernels(active_isa())),
      matrices_(matrices_of(colour)),
      width_(width),
      pairs_((width + 1) / 2),
      line_bytes_(2 * pairs_),
      lines_(lines) {
    const std::size_t needed = needs_lines(from, to) ? line_count * line_bytes_ : 0;
    if (lines.size() < needed) lines.resize(needed);
}

void SameSize::run(const PictureIn& in, const PictureOut& out) noexcept {
    if (in.format == out.format)
        copy(in, out);
    else if (is_rgb(in.format) && is_rgb(out.format))
        repack(in, out);
    else if (is_rgb(out.format))
        yuv_to_rgb(in, out);
    else if (is_rgb(in.format) && out.format == PixelFormat::yuyv)
        rgb_to_yuyv(in, out);
    else if (is_rgb(in.format))
        rgb_to_yuv(in, out);
    else
        yuv_to_yuv(in, out);
}

void SameSize::repack(const PictureIn& in, const PictureOut& out) noexcept {
    const auto kernel = rows_.repack[order_of(in.format)][order_of(out.format)];
    for (std::size_t y = 0; y < in.height; ++y) kernel(in.row(0, y), out.row(0, y), in.width);
}

void SameSize::yuv_to_rgb(const PictureIn& in, const PictureOut& out) noexcept {
    const auto kernel = rows_.to_packed[layout_of(in.format)][order_of(out.format)];
    if (in.format != PixelFormat::yuyv) {
        const auto& [y, u, v] = in.planes;
        const auto& strides = in.strides;
        kernel({y, u, v, strides[0], strides[1], strides[2]}, out.planes[0], out.strides[0], {width_, in.height},
               matrices_.to_rgb);
        return;
    }
    for (std::size_t y = 0; y < in.height; ++y) {
        rows_.deinterleave(in.row(0, y), line(luma_line), line(chroma_line), 2 * pairs_);
        kernel({line(luma_line), line(chroma_line), nullptr, 0, 0, 0}, out.row(0, y), 0, {width_, 1}, matrices_.to_rgb);
    }
}

void SameSize::rgb_to_yuv(const PictureIn& in, const PictureOut& out) noexcept {
    const auto kernel = rows_.from_packed[order_of(in.format)];
    if (out.format != PixelFormat::nv12) {
        const auto& [y, u, v] = out.planes;
        const auto& strides = out.strides;
        kernel(in.planes[0], in.strides[0], {y, u, v, strides[0], strides[1], strides[2]}, {width_, in.height},
               matrices_.to_yuv);
        return;
    }
    for (std::size_t y = 0; y < in.height; y += 2) {
        const std::size_t count = std::min<std::size_t>(2, in.height - y);
        std::uint8_t *u = line(second_line), *v = line(third_line);
        kernel(in.row(0, y), in.strides[0], {out.row(0, y), u, v, out.strides[0], 0, 0}, {width_, count},
               matrices_.to_yuv);
        rows_.interleave(u, v, out.row(1, y / 2), pairs_);
    }
}

// Each row has chroma of its own.
void SameSize::rgb_to_yuyv(const PictureIn& in, const PictureOut& out) noexcept {
    const auto kernel = rows_.from_packed[order_of(in.format)];
    for (std::size_t y = 0; y < in.height; ++y) {
        std::uint8_t *u = line(second_line), *v = line(third_line);
        kernel(in.row(0, y), 0, {line(luma_line), u, v, 0, 0, 0}, {width_, 1}, matrices_.to_yuv);
        store_yuyv(line(luma_line), {u, v}, out.row(0, y));
    }
}

void SameSize::yuv_to_yuv(const PictureIn& in, const PictureOut& out) noexcept {
    const bool same_luma = in.format != PixelFormat::yuyv && out.format != PixelFormat::yuyv;
    if (same_luma) copy_plane(in, out, 0);
    if (same_luma && out.format == PixelFormat::gray8) return;
    for (std::size_t y = 0; y < in.height; y += 2) {
        const std::size_t below = std::min(y + 1, in.height - 1);
        const ChromaRow chroma = out.format == PixelFormat::gray8 ? ChromaRow{} : chroma_row(in, y, below);
        for (std::size_t row = y; row <= below && !same_luma; ++row) {
            if (out.format == PixelFormat::yuyv)
                store_yuyv(in.row(0, row), chroma, out.row(0, row));
            else
                rows_.deinterleave(in.row(0, row), out.row(0, row), line(third_line), in.width);
        }
        if (is_420(out.format)) store_chroma(chroma, out, y);
    }
}

// The chroma of two rows.
SameSize::ChromaRow SameSize::chroma_row(const PictureIn& in, std::size_t y, std::size_t below) noexcept {
    if (in.format == PixelFormat::i420) return {in.row(1, y / 2), in.row(2, y / 2)};
    if (in.format == PixelFormat::nv12) return {in.row(1, y / 2), nullptr};
    std::uint8_t* pairs = line(chroma_line);
    if (in.format == PixelFormat::gray8) {
        std::memset(pairs, 128, 2 * pairs_);
    } else {
        rows_.deinterleave(in.row(0, y), line(luma_line), pairs, 2 * pairs_);
        rows_.deinterleave(in.row(0, below), line(luma_line), line(second_line), 2 * pairs_);
        rows_.average(pairs, line(second_line), pairs, 2 * pairs_);
    }
    return {pairs, nullptr};
}

void SameSize::store_chroma(const ChromaRow& chroma, const PictureOut& out, std::size_t y) noexcept {
    std::uint8_t* to = out.row(1, y / 2);
    if (out.format == PixelFormat::i420) {
        std::uint8_t* to_v = out.row(2, y / 2);
        if (!chroma.v) {
            rows_.deinterleave(chroma.u, to, to_v, pairs_);
            return;
        }
        std::memcpy(to, chroma.u, pairs_);
        std::memcpy(to_v, chroma.v, pairs_);
    } else if (chroma.v) {
        rows_.interleave(chroma.u, chroma.v, to, pairs_);
    } else {
        std::memcpy(to, chroma.u, 2 * pairs_);
    }
}

void SameSize::store_yuyv(const std::uint8_t* luma, const ChromaRow& chroma, std::uint8_t* out) noexcept {
    const std::uint8_t* pairs = chroma.u;
    if (chroma.v) {
        rows_.interleave(chroma.u, chroma.v, line(chroma_line), pairs_);
        pairs = line(chroma_line);
    }
    rows_.interleave(luma, pairs, out, width_ / 2 * 2);
    if (width_ % 2) {  // the last pair has one column only: its luma stands for both
        std::uint8_t* last = out + 2 * (width_ - 1);
        last[0] = last[2] = luma[width_ - 1];
        last[1] = pairs[width_ - 1];
        last[3] = pairs[width_];
    }
}

}  // namespace spike
