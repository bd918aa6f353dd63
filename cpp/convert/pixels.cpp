#include "convert/pixels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "convert/pixel_rows.hpp"
#include "convert/scale.hpp"

namespace spike {
namespace {

struct FormatName {
    std::string_view name;
    PixelFormat format;
};

constexpr std::array format_names{
    FormatName{"yuv420p", PixelFormat::i420}, FormatName{"nv12", PixelFormat::nv12},
    FormatName{"yuyv422", PixelFormat::yuyv}, FormatName{"rgb24", PixelFormat::rgb24},
    FormatName{"bgr24", PixelFormat::bgr24},  FormatName{"rgba", PixelFormat::rgba},
    FormatName{"bgra", PixelFormat::bgra},    FormatName{"argb", PixelFormat::argb},
    FormatName{"gray", PixelFormat::gray8},   FormatName{"gray8", PixelFormat::gray8},
};

// Bytes a pixel and the order of the colours; no bytes for formats that are not packed RGB.
struct Packing {
    std::size_t bytes;
    PackedOrder order;
};

constexpr Packing packing_of(PixelFormat format) noexcept {
    switch (format) {
        case PixelFormat::rgb24: return {3, rgb24_order};
        case PixelFormat::bgr24: return {3, bgr24_order};
        case PixelFormat::rgba: return {4, rgba_order};
        case PixelFormat::bgra: return {4, bgra_order};
        case PixelFormat::argb: return {4, argb_order};
        default: return {0, rgb24_order};
    }
}

bool is_rgb(PixelFormat format) noexcept { return packing_of(format).bytes > 0; }

std::int32_t fixed(double value) { return static_cast<std::int32_t>(std::lround(value * (1 << colour_bits))); }

struct Matrices {
    ToRgb to_rgb;
    ToYuv to_yuv;
};

Matrices matrices_of(const Colour& colour) {
    const bool bt601 = colour.matrix == Colour::Matrix::bt601;
    const double red = bt601 ? 0.299 : 0.2126, blue = bt601 ? 0.114 : 0.0722, green = 1.0 - red - blue;
    const double luma_span = colour.full_range ? 255.0 : 219.0, chroma_span = colour.full_range ? 255.0 : 224.0;
    const double luma = 255.0 / luma_span, chroma = 255.0 / chroma_span;
    const std::int32_t offset = colour.full_range ? 0 : 16;
    Matrices matrices{};
    matrices.to_rgb = {fixed(luma),
                       offset,
                       fixed(chroma * 2.0 * (1.0 - red)),
                       fixed(-chroma * 2.0 * (1.0 - blue) * blue / green),
                       fixed(-chroma * 2.0 * (1.0 - red) * red / green),
                       fixed(chroma * 2.0 * (1.0 - blue))};
    const double u = 0.5 / ((1.0 - blue) * chroma), v = 0.5 / ((1.0 - red) * chroma);
    matrices.to_yuv = {fixed(red / luma), fixed(green / luma), fixed(blue / luma),      offset,
                       fixed(-u * red),   fixed(-u * green),   fixed(u * (1.0 - blue)), fixed(v * (1.0 - red)),
                       fixed(-v * green), fixed(-v * blue)};
    return matrices;
}

// Planar rows of one picture line, kept between lines.
struct Line {
    explicit Line(std::size_t width) : bytes(3 * (width + 1)), stride(width + 1) {}
    Row row() noexcept { return {bytes.data(), bytes.data() + stride, bytes.data() + 2 * stride}; }
    std::vector<std::uint8_t> bytes;
    std::size_t stride;
};

// One picture line as luma and chroma of full width.
void load_yuv(const PictureIn& in, std::size_t y, const Row& to) noexcept {
    const std::size_t width = in.width;
    if (in.format == PixelFormat::yuyv) {
        const std::uint8_t* packed = in.row(0, y);
        for (std::size_t x = 0; x < width; ++x) {
            to.first[x] = packed[2 * x];
            to.second[x] = packed[x / 2 * 4 + 1];
            to.third[x] = packed[x / 2 * 4 + 3];
        }
        return;
    }
    std::memcpy(to.first, in.row(0, y), width);
    if (in.format == PixelFormat::gray8) {
        std::memset(to.second, 128, width);
        std::memset(to.third, 128, width);
        return;
    }
    const bool interleaved = in.format == PixelFormat::nv12;
    const std::uint8_t* u = in.row(1, y / 2);
    const std::uint8_t* v = interleaved ? u + 1 : in.row(2, y / 2);
    const std::size_t step = interleaved ? 2 : 1;
    for (std::size_t x = 0; x < (width + 1) / 2; ++x) {  // the buffers have room for one pixel more
        to.second[2 * x] = to.second[2 * x + 1] = u[x * step];
        to.third[2 * x] = to.third[2 * x + 1] = v[x * step];
    }
}

void store_luma(const PictureOut& out, std::size_t y, const std::uint8_t* luma) noexcept {
    if (out.format != PixelFormat::yuyv) {
        std::memcpy(out.row(0, y), luma, out.width);
        return;
    }
    for (std::size_t x = 0; x < out.width; ++x) out.row(0, y)[2 * x] = luma[x];
}

// Chroma of half width for the line pair that begins at `y`.
void store_chroma(const PictureOut& out, std::size_t y, const std::uint8_t* u, const std::uint8_t* v) noexcept {
    const std::size_t count = (out.width + 1) / 2;
    switch (out.format) {
        case PixelFormat::i420:
            std::memcpy(out.row(1, y / 2), u, count);
            std::memcpy(out.row(2, y / 2), v, count);
            return;
        case PixelFormat::nv12:
            for (std::size_t x = 0; x < count; ++x) {
                out.row(1, y / 2)[2 * x] = u[x];
                out.row(1, y / 2)[2 * x + 1] = v[x];
            }
            return;
        case PixelFormat::yuyv:
            for (std::size_t line = y; line < std::min(y + 2, out.height); ++line) {
                for (std::size_t x = 0; x < count; ++x) {
                    out.row(0, line)[4 * x + 1] = u[x];
                    out.row(0, line)[4 * x + 3] = v[x];
                }
            }
            return;
        default: return;
    }
}

class Converter {
  public:
    Converter(const PictureIn& in, const PictureOut& out, const Colour& colour)
        : in_(in),
          out_(out),
          rows_(pixel_rows(active_isa())),
          matrices_(matrices_of(colour)),
          lines_{Line(in.width), Line(in.width), Line(in.width)},
          chroma_(in.width + 2) {}

    void run() {
        if (is_rgb(out_.format))
            to_rgb();
        else if (is_rgb(in_.format))
            rgb_to_yuv();
        else
            yuv_to_yuv();
    }

  private:
    void load_rgb(std::size_t y, const Row& to) {
        const Packing packing = packing_of(in_.format);
        if (packing.bytes) {
            rows_.packed[packing.order].unpack(in_.row(0, y), to, in_.width);
            return;
        }
        load_yuv(in_, y, lines_[2].row());
        rows_.to_rgb(lines_[2].row(), to, in_.width, matrices_.to_rgb);
    }

    void to_rgb() {
        const PackedRows& packed = rows_.packed[packing_of(out_.format).order];
        const Row line = lines_[0].row();
        for (std::size_t y = 0; y < in_.height; ++y) {
            load_rgb(y, line);
            packed.pack(line, out_.row(0, y), in_.width);
        }
    }

    void rgb_to_yuv() {
        for (std::size_t y = 0; y < in_.height; y += 2) {
            const bool pair = y + 1 < in_.height;
            const Row above = lines_[0].row(), below = pair ? lines_[1].row() : above;
            load_rgb(y, above);
            if (pair) load_rgb(y + 1, below);
            for (std::size_t line = 0; line < (pair ? 2u : 1u); ++line) {
                const Row luma = lines_[2].row();
                rows_.to_luma(line ? below : above, luma.first, in_.width, matrices_.to_yuv);
                store_luma(out_, y + line, luma.first);
            }
            std::uint8_t* u = chroma_.data();
            std::uint8_t* v = u + (in_.width + 1) / 2;
            rows_.to_chroma(above, below, u, v, in_.width, matrices_.to_yuv);
            store_chroma(out_, y, u, v);
        }
    }

    void yuv_to_yuv() {
        for (std::size_t y = 0; y < in_.height; y += 2) {
            const bool pair = y + 1 < in_.height;
            const Row above = lines_[0].row(), below = pair ? lines_[1].row() : above;
            load_yuv(in_, y, above);
            if (pair) load_yuv(in_, y + 1, below);
            store_luma(out_, y, above.first);
            if (pair) store_luma(out_, y + 1, below.first);
            std::uint8_t* u = chroma_.data();
            std::uint8_t* v = u + (in_.width + 1) / 2;
            for (std::size_t x = 0; x < (in_.width + 1) / 2; ++x) {  // columns share their chroma already, rows may not
                u[x] = static_cast<std::uint8_t>((above.second[2 * x] + below.second[2 * x] + 1) / 2);
                v[x] = static_cast<std::uint8_t>((above.third[2 * x] + below.third[2 * x] + 1) / 2);
            }
            store_chroma(out_, y, u, v);
        }
    }

    const PictureIn& in_;
    const PictureOut& out_;
    const PixelRows& rows_;
    Matrices matrices_;
    std::array<Line, 3> lines_;
    std::vector<std::uint8_t> chroma_;
};

void copy_planes(const PictureIn& in, const PictureOut& out) noexcept {
    for (std::size_t plane = 0; plane < plane_count(in.format); ++plane) {
        const PlaneShape shape = plane_shape(in.format, plane, in.width, in.height);
        for (std::size_t y = 0; y < shape.rows; ++y) std::memcpy(out.row(plane, y), in.row(plane, y), shape.row_bytes);
    }
}

// A picture with memory of its own, for the step between scaling and conversion.
struct OwnedPicture {
    OwnedPicture(PixelFormat format, std::size_t width, std::size_t height) : out{format, width, height, {}, {}} {
        std::size_t size = 0;
        for (std::size_t plane = 0; plane < plane_count(format); ++plane) {
            const PlaneShape shape = plane_shape(format, plane, width, height);
            size += shape.rows * shape.row_bytes;
        }
        bytes.resize(size);
        std::uint8_t* at = bytes.data();
        for (std::size_t plane = 0; plane < plane_count(format); ++plane) {
            const PlaneShape shape = plane_shape(format, plane, width, height);
            out.planes[plane] = at;
            out.strides[plane] = static_cast<std::ptrdiff_t>(shape.row_bytes);
            at += shape.rows * shape.row_bytes;
        }
    }

    PictureIn in() const noexcept {
        return {out.format, out.width, out.height, {out.planes[0], out.planes[1], out.planes[2]}, out.strides};
    }

    std::vector<std::uint8_t> bytes;
    PictureOut out;
};

void scale_picture(const PictureIn& in, const PictureOut& out) {
    const std::size_t packed = packing_of(in.format).bytes;
    for (std::size_t plane = 0; plane < plane_count(in.format); ++plane) {
        const bool chroma_pairs = in.format == PixelFormat::nv12 && plane == 1;
        const std::size_t channels = packed ? packed : chroma_pairs ? 2 : 1;
        const PlaneShape from = plane_shape(in.format, plane, in.width, in.height);
        const PlaneShape to = plane_shape(out.format, plane, out.width, out.height);
        scale_plane(in.planes[plane], in.strides[plane], from.row_bytes / channels, from.rows, out.planes[plane],
                    out.strides[plane], to.row_bytes / channels, to.rows, channels);
    }
}

}  // namespace

PixelFormat pixel_format(std::string_view name) {
    for (const FormatName& entry : format_names)
        if (entry.name == name) return entry.format;
    throw std::invalid_argument(
        "the format must be yuv420p, nv12, yuyv422, rgb24, bgr24, rgba, bgra, argb or gray8, not " + std::string(name));
}

std::size_t plane_count(PixelFormat format) noexcept {
    return format == PixelFormat::i420 ? 3 : format == PixelFormat::nv12 ? 2 : 1;
}

PlaneShape plane_shape(PixelFormat format, std::size_t plane, std::size_t width, std::size_t height) noexcept {
    if (plane > 0) {
        const std::size_t half = (width + 1) / 2;
        return {(height + 1) / 2, format == PixelFormat::nv12 ? 2 * half : half};
    }
    if (format == PixelFormat::yuyv) return {height, 4 * ((width + 1) / 2)};
    return {height, width * std::max<std::size_t>(1, packing_of(format).bytes)};
}

void convert_picture(const PictureIn& in, const PictureOut& out, const Colour& colour) {
    if (in.width == out.width && in.height == out.height) {
        if (in.format == out.format)
            copy_planes(in, out);
        else
            Converter(in, out, colour).run();
        return;
    }
    if (in.format == out.format && in.format != PixelFormat::yuyv) {
        scale_picture(in, out);
        return;
    }
    if (in.format == PixelFormat::yuyv) {  // its pixels share bytes: scale what it holds, not how it holds it
        OwnedPicture unpacked(PixelFormat::i420, in.width, in.height);
        Converter(in, unpacked.out, colour).run();
        convert_picture(unpacked.in(), out, colour);
        return;
    }
    OwnedPicture scaled(in.format, out.width, out.height);
    scale_picture(in, scaled.out);
    Converter(scaled.in(), out, colour).run();
}

}  // namespace spike
