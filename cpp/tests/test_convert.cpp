// Random geometry: with the address sanitizer, a byte outside the picture ends the test.
#include <doctest/doctest.h>

#include <random>
#include <stdexcept>
#include <vector>

#include "convert/pixels.hpp"

namespace {

constexpr spike::PixelFormat formats[] = {
    spike::PixelFormat::i420,  spike::PixelFormat::nv12,  spike::PixelFormat::yuyv,
    spike::PixelFormat::rgb24, spike::PixelFormat::bgr24, spike::PixelFormat::rgba,
    spike::PixelFormat::bgra,  spike::PixelFormat::argb,  spike::PixelFormat::gray8};

// A picture whose planes are exactly as large as the format needs, with the rows upside down where asked.
struct TestPicture {
    TestPicture(spike::PixelFormat format, std::size_t width, std::size_t height, bool upside_down)
        : view{format, width, height, {}, {}} {
        for (std::size_t plane = 0; plane < spike::plane_count(format); ++plane) {
            const auto shape = spike::plane_shape(format, plane, width, height);
            planes[plane].assign(shape.rows * shape.row_bytes(), 100);
            const auto stride = static_cast<std::ptrdiff_t>(shape.row_bytes());
            view.strides[plane] = upside_down ? -stride : stride;
            view.planes[plane] = planes[plane].data() + (upside_down ? (shape.rows - 1) * shape.row_bytes() : 0);
        }
    }

    spike::PictureIn in() const {
        return {view.format, view.width, view.height, {view.planes[0], view.planes[1], view.planes[2]}, view.strides};
    }

    std::vector<std::uint8_t> planes[3];
    spike::PictureOut view;
};

}  // namespace

TEST_CASE("any format to any other, at any size and in any orientation, stays inside its pictures") {
    std::mt19937 random(11);
    const auto up_to = [&random](std::size_t most) { return 1 + random() % most; };
    for (int round = 0; round < 3000; ++round) {
        const auto from = formats[random() % 9], to = formats[random() % 9];
        const std::size_t width = up_to(150), height = up_to(50);
        spike::Conversion conversion;
        conversion.colour = {random() % 2 ? spike::Colour::Matrix::bt601 : spike::Colour::Matrix::bt709,
                             random() % 2 == 0};
        conversion.scaling = static_cast<spike::Scaling>(random() % 3);
        conversion.orientation = {static_cast<int>(random() % 4) * 90, random() % 2 == 0};
        const bool same_size = random() % 2 == 0, turned = conversion.orientation.on_its_side();
        const std::size_t out_width = same_size ? (turned ? height : width) : up_to(190);
        const std::size_t out_height = same_size ? (turned ? width : height) : up_to(60);
        TestPicture in(from, width, height, random() % 2 == 0), out(to, out_width, out_height, random() % 2 == 0);
        CAPTURE(static_cast<int>(from));
        CAPTURE(static_cast<int>(to));
        CAPTURE(width);
        CAPTURE(height);
        CHECK_NOTHROW(spike::convert_picture(in.in(), out.view, conversion));
    }
}

TEST_CASE("grey stays grey") {
    for (const auto from : formats) {
        for (const auto to : formats) {
            TestPicture in(from, 17, 9, false), middle(from, 17, 9, false), out(to, 17, 9, false);
            spike::convert_picture(TestPicture(spike::PixelFormat::rgb24, 17, 9, false).in(), in.view, {});
            spike::convert_picture(in.in(), out.view, {});
            TestPicture back(spike::PixelFormat::rgb24, 17, 9, false);
            spike::convert_picture(out.in(), back.view, {});
            for (const auto value : back.planes[0]) CHECK(std::abs(value - 100) <= 1);
        }
    }
}

TEST_CASE("a format that does not exist is refused") {
    CHECK_THROWS_AS(spike::pixel_format("yuv999"), std::invalid_argument);
}

TEST_CASE("pictures that share bytes are found, those that lie between each other's rows are not") {
    std::vector<std::uint8_t> memory(64 * 40);
    const auto at = [&](std::size_t offset, std::ptrdiff_t stride, std::size_t width, std::size_t height) {
        return spike::PictureOut{spike::PixelFormat::gray8, width, height, {memory.data() + offset}, {stride}};
    };
    const auto share = [](const spike::PictureOut& a, const spike::PictureOut& b) {
        const auto in = [](const spike::PictureOut& out) {
            return spike::PictureIn{out.format, out.width, out.height, {out.planes[0]}, out.strides};
        };
        CHECK(spike::share_bytes(in(a), b) == spike::share_bytes(in(b), a));
        return spike::share_bytes(in(a), b);
    };
    CHECK(share(at(0, 64, 32, 40), at(0, 64, 32, 40)));
    CHECK(share(at(0, 64, 33, 40), at(32, 64, 32, 40)));
    CHECK(!share(at(0, 64, 32, 40), at(32, 64, 32, 40)));
    CHECK(!share(at(0, 64, 64, 20), at(64 * 20, 64, 64, 20)));
    CHECK(share(at(0, 64, 64, 21), at(64 * 20, 64, 64, 20)));
    CHECK(!share(at(0, 128, 64, 20), at(64, 128, 64, 20)));    // odd and even rows
    CHECK(share(at(64 * 39, -64, 32, 40), at(0, 64, 32, 1)));  // upside down
    CHECK(!share(at(64 * 39, -64, 32, 39), at(0, 64, 32, 1)));
    CHECK(share(at(0, 64, 32, 40), at(32, 60, 28, 30)));  // rows of other lengths
}
