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

void copy(const PictureIn& in, const PictureOut& out) noexcept {
    for (std::size_t plane = 0; plane < plane_count(in.format); ++plane) {
        const PlaneShape shape = plane_shape(in.format, plane, in.width, in.height);
        const auto bytes = static_cast<std::ptrdiff_t>(shape.row_bytes());
        if (in.strides[plane] == bytes && out.strides[plane] == bytes) {
            std::memcpy(out.planes[plane], in.planes[plane], shape.rows * shape.row_bytes());
            continue;
        }
        for (std::size_t y = 0; y < shape.rows; ++y)
            std::memcpy(out.row(plane, y), in.row(plane, y), shape.row_bytes());
    }
}

}  // namespace

SameSize::SameSize(PixelFormat from, PixelFormat to, std::size_t width, const Colour& colour)
    : rows_(pixel_rows(active_isa())),
      matrices_(matrices_of(colour)),
      width_(width),
      pairs_((width + 1) / 2),
      line_bytes_(2 * pairs_),
      lines_(needs_lines(from, to) ? line_count * line_bytes_ : 0) {}

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
    for (std::size_t y = 0; y < in.height; ++y) {
        YuvRow row{in.row(0, y), nullptr, nullptr};
        if (is_420(in.format)) {
            row.u = in.row(1, y / 2);
            row.v = in.format == PixelFormat::i420 ? in.row(2, y / 2) : nullptr;
        } else if (in.format == PixelFormat::yuyv) {
            rows_.deinterleave(row.luma, line(luma_line), line(chroma_line), 2 * pairs_);
            row = {line(luma_line), line(chroma_line), nullptr};
        }
        kernel(row, out.row(0, y), in.width, matrices_.to_rgb);
    }
}

void SameSize::rgb_to_yuv(const PictureIn& in, const PictureOut& out) noexcept {
    const auto kernel = rows_.from_packed[order_of(in.format)];
    if (out.format == PixelFormat::gray8) {
        for (std::size_t y = 0; y < in.height; ++y)
            kernel({in.row(0, y), in.row(0, y)}, {out.row(0, y), nullptr, nullptr, nullptr}, in.width,
                   matrices_.to_yuv);
        return;
    }
    const bool paired = out.format == PixelFormat::nv12;
    for (std::size_t y = 0; y < in.height; y += 2) {
        const std::size_t below = std::min(y + 1, in.height - 1);
        std::uint8_t* u = paired ? line(second_line) : out.row(1, y / 2);
        std::uint8_t* v = paired ? line(third_line) : out.row(2, y / 2);
        kernel({in.row(0, y), in.row(0, below)}, {out.row(0, y), out.row(0, below), u, v}, in.width, matrices_.to_yuv);
        if (paired) rows_.interleave(u, v, out.row(1, y / 2), pairs_);
    }
}

// Each row has chroma of its own.
void SameSize::rgb_to_yuyv(const PictureIn& in, const PictureOut& out) noexcept {
    const auto kernel = rows_.from_packed[order_of(in.format)];
    for (std::size_t y = 0; y < in.height; ++y) {
        std::uint8_t* u = line(second_line);
        std::uint8_t* v = line(third_line);
        kernel({in.row(0, y), in.row(0, y)}, {line(luma_line), line(luma_line), u, v}, in.width, matrices_.to_yuv);
        store_yuyv(line(luma_line), {nullptr, u, v}, out.row(0, y));
    }
}

void SameSize::yuv_to_yuv(const PictureIn& in, const PictureOut& out) noexcept {
    for (std::size_t y = 0; y < in.height; y += 2) {
        const std::size_t below = std::min(y + 1, in.height - 1);
        const YuvRow chroma = out.format == PixelFormat::gray8 ? YuvRow{} : chroma_row(in, y, below);
        for (std::size_t row = y; row <= below; ++row) {
            if (out.format == PixelFormat::yuyv)
                store_yuyv(in.row(0, row), chroma, out.row(0, row));
            else if (in.format == PixelFormat::yuyv)
                rows_.deinterleave(in.row(0, row), out.row(0, row), line(third_line), in.width);
            else
                std::memcpy(out.row(0, row), in.row(0, row), in.width);
        }
        if (is_420(out.format)) store_chroma(chroma, out, y);
    }
}

// The chroma of two rows, planar or paired (`v` is null then).
YuvRow SameSize::chroma_row(const PictureIn& in, std::size_t y, std::size_t below) noexcept {
    if (in.format == PixelFormat::i420) return {nullptr, in.row(1, y / 2), in.row(2, y / 2)};
    if (in.format == PixelFormat::nv12) return {nullptr, in.row(1, y / 2), nullptr};
    std::uint8_t* pairs = line(chroma_line);
    if (in.format == PixelFormat::gray8) {
        std::memset(pairs, 128, 2 * pairs_);
    } else {
        rows_.deinterleave(in.row(0, y), line(luma_line), pairs, 2 * pairs_);
        rows_.deinterleave(in.row(0, below), line(luma_line), line(second_line), 2 * pairs_);
        rows_.average(pairs, line(second_line), pairs, 2 * pairs_);
    }
    return {nullptr, pairs, nullptr};
}

void SameSize::store_chroma(const YuvRow& chroma, const PictureOut& out, std::size_t y) noexcept {
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

void SameSize::store_yuyv(const std::uint8_t* luma, const YuvRow& chroma, std::uint8_t* out) noexcept {
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
