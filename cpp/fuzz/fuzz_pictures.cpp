// Pictures of every format, size, stride and direction into every other, in memory that ends where they end.
#include <cstdlib>
#include <vector>

#include "convert/pixels.hpp"
#include "fuzz/fuzzed_bytes.hpp"

using namespace spike;
using namespace spike::fuzz;

namespace {

constexpr PixelFormat formats[] = {PixelFormat::i420,  PixelFormat::nv12,  PixelFormat::yuyv,
                                   PixelFormat::rgb24, PixelFormat::bgr24, PixelFormat::rgba,
                                   PixelFormat::bgra,  PixelFormat::argb,  PixelFormat::gray8};
constexpr Scaling scalings[] = {Scaling::area, Scaling::bilinear, Scaling::bicubic};
constexpr std::size_t most_pixels = 70;

struct Held {
    std::array<std::vector<std::uint8_t>, 3> planes;
    PictureOut picture;

    explicit Held(FuzzedBytes& bytes)
        : picture{bytes.one_of(formats), bytes.between(1, most_pixels), bytes.between(1, most_pixels), {}, {}} {
        for (std::size_t plane = 0; plane < plane_count(picture.format); ++plane) {
            const PlaneShape shape = plane_shape(picture.format, plane, picture.width, picture.height);
            const std::size_t stride = shape.row_bytes() + bytes.number<std::uint8_t>() % 8;
            const bool backwards = bytes.number<std::uint8_t>() % 4 == 0;
            planes[plane].resize((shape.rows - 1) * stride + shape.row_bytes());
            picture.planes[plane] = planes[plane].data() + (backwards ? (shape.rows - 1) * stride : 0);
            picture.strides[plane] =
                backwards ? -static_cast<std::ptrdiff_t>(stride) : static_cast<std::ptrdiff_t>(stride);
        }
    }

    PictureIn in() const {
        const auto& p = picture.planes;
        return {picture.format, picture.width, picture.height, {p[0], p[1], p[2]}, picture.strides};
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    FuzzedBytes bytes(data, size);
    Conversion conversion;
    conversion.colour.matrix = bytes.number<std::uint8_t>() % 2 ? Colour::Matrix::bt601 : Colour::Matrix::bt709;
    conversion.colour.full_range = bytes.number<std::uint8_t>() % 2;
    conversion.scaling = bytes.one_of(scalings);
    conversion.orientation = {90 * (bytes.number<std::uint8_t>() % 4), bytes.number<std::uint8_t>() % 2 == 1};
    Held from(bytes), to(bytes);
    require(!share_bytes(from.in(), to.picture));
    for (auto& plane : from.planes) {
        const auto given = bytes.take(plane.size());
        std::ranges::copy(given, plane.begin());
    }
    convert_picture(from.in(), to.picture, conversion);
    return 0;
}
