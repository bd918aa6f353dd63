#include "convert/pixels.hpp"

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "convert/same_size.hpp"

namespace spike {
namespace {

constexpr std::size_t strip_rows = 16;  // even: rows that share their chroma stay together

struct ScalerKey {
    std::array<std::size_t, 5> geometry;  // rows and pixels before and after, bytes a pixel
    Scaling scaling;
    auto operator<=>(const ScalerKey&) const = default;
};

// The scalers of this thread's last sizes: to make one takes as long as to scale a small picture.
using Scalers = std::map<ScalerKey, PlaneScaler>;

Scalers& kept_scalers() {
    thread_local Scalers scalers;
    constexpr std::size_t most = 24;
    if (scalers.size() > most) scalers.clear();
    return scalers;
}

class Scaler {
  public:
    Scaler(const PictureIn& in, std::size_t width, std::size_t height, Scaling scaling)
        : in_(in), width_(width), height_(height) {
        Scalers& kept = kept_scalers();
        for (std::size_t plane = 0; plane < plane_count(in.format); ++plane) {
            const PlaneShape from = plane_shape(in.format, plane, in.width, in.height);
            const PlaneShape to = plane_shape(in.format, plane, width, height);
            const ScalerKey key{{from.rows, from.pixels, to.rows, to.pixels, from.bytes}, scaling};
            planes_[plane] = &kept.try_emplace(key, from, to, scaling).first->second;
        }
    }

    // The rows of the scaled picture from `first` on, as many as `strip` has.
    void run(const PictureOut& strip, std::size_t first) noexcept {
        for (std::size_t plane = 0; plane < plane_count(in_.format); ++plane)
            planes_[plane]->run(in_.planes[plane], in_.strides[plane], strip.planes[plane], strip.strides[plane],
                                plane ? first / 2 : first, plane_shape(strip.format, plane, width_, strip.height).rows);
    }

  private:
    const PictureIn& in_;
    std::size_t width_, height_;
    std::array<PlaneScaler*, 3> planes_{};
};

// What lies between, kept by each thread for its next picture.
struct Workspace {
    std::vector<std::uint8_t> lines;
    OwnedPicture scaled, converted;      // strips
    OwnedPicture planar_in, planar_out;  // whole pictures, where pixels share bytes
};

Workspace& workspace() {
    thread_local Workspace kept;
    return kept;
}

void in_strips(const PictureIn& in, const PictureOut& out, const Conversion& conversion, std::size_t width,
               std::size_t height) {
    const bool scales = in.width != width || in.height != height, turns = !conversion.orientation.upright();
    auto& [lines, scaled, converted, planar_in, planar_out] = workspace();
    SameSize convert(in.format, out.format, width, conversion.colour, lines);
    std::optional<Scaler> scaler;
    if (scales) {
        scaler.emplace(in, width, height, conversion.scaling);
        scaled.reshape(in.format, width, strip_rows);
    }
    if (turns) converted.reshape(out.format, width, strip_rows);
    for (std::size_t y = 0; y < height; y += strip_rows) {
        const std::size_t count = std::min(strip_rows, height - y);
        if (scales) scaler->run(scaled.out().rows(0, count), y);
        convert.run(scales ? scaled.in().rows(0, count) : in.rows(y, count),
                    turns ? converted.out().rows(0, count) : out.rows(y, count));
        if (turns) place_strip(converted.in().rows(0, count), y, out, conversion.orientation);
    }
}

}  // namespace

void convert_picture(const PictureIn& in, const PictureOut& out, const Conversion& conversion) {
    const bool turned = conversion.orientation.on_its_side();
    const std::size_t width = turned ? out.height : out.width, height = turned ? out.width : out.height;
    const bool scales = in.width != width || in.height != height, turns = !conversion.orientation.upright();
    if (!scales && !turns) {
        SameSize(in.format, out.format, width, conversion.colour, workspace().lines).run(in, out);
    } else if (in.format == PixelFormat::yuyv && scales) {  // pixels that share bytes: scale what they hold
        OwnedPicture& planar = workspace().planar_in;
        planar.reshape(PixelFormat::i420, in.width, in.height);
        convert_picture(in, planar.out(), {conversion.colour, {}, {}});
        convert_picture(planar.in(), out, conversion);
    } else if (out.format == PixelFormat::yuyv && turns) {
        OwnedPicture& planar = workspace().planar_out;
        planar.reshape(PixelFormat::i420, out.width, out.height);
        convert_picture(in, planar.out(), conversion);
        convert_picture(planar.in(), out, {conversion.colour, {}, {}});
    } else {
        in_strips(in, out, conversion, width, height);
    }
}

}  // namespace spike
