// Every variant of the picture kernels that this processor can run gives the bytes of the one in plain C++, and no
// others are touched.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "base/cpu.hpp"
#include "convert/colour.hpp"
#include "convert/pixel_rows_kernels.hpp"
#include "convert/scale.hpp"

namespace {

using Values = std::vector<std::uint8_t>;

std::vector<spike::Isa> variants() {
    std::vector<spike::Isa> found;
    for (const auto isa : {spike::Isa::baseline, spike::Isa::avx2, spike::Isa::avx512, spike::Isa::neon})
        if (spike::supports(isa)) found.push_back(isa);
    return found;
}

Values bytes(std::size_t count, unsigned seed) {
    std::mt19937 random(seed);
    Values values(count);
    for (auto& value : values) value = static_cast<std::uint8_t>(random());
    return values;
}

constexpr std::size_t widths[] = {1, 2, 3, 15, 16, 31, 33, 62, 63, 64, 65, 66, 97, 126, 127, 128, 129, 200, 321};

// Runs a kernel of plain C++ and of each variant into buffers of `size` bytes.
template <typename Run>
void check_variants(std::size_t size, Run run) {
    Values expected(size, 7);
    run(spike::scalar::pixel_rows_kernels_variant, expected.data());
    for (const auto isa : variants()) {
        CAPTURE(spike::isa_name(isa));
        Values actual(size, 7);
        run(spike::pixel_rows_kernels(isa), actual.data());
        CHECK(expected == actual);
    }
}

}  // namespace

TEST_CASE("pictures become RGB and back in the same bytes, at every width") {
    for (const bool full : {false, true}) {
        const auto matrices = spike::matrices_of({spike::Colour::Matrix::bt709, full});
        for (const std::size_t width : widths) {
            CAPTURE(width);
            const std::size_t pairs = (width + 1) / 2;
            const Values luma = bytes(width, 1), u = bytes(2 * pairs, 2), v = bytes(pairs, 3);
            const Values packed = bytes(8 * width, 4);
            const auto stride = static_cast<std::ptrdiff_t>(4 * width),
                       luma_stride = static_cast<std::ptrdiff_t>(width);
            for (std::size_t order = 0; order < spike::packed_orders; ++order) {
                for (std::size_t layout = 0; layout < spike::chroma_layouts; ++layout)
                    check_variants(4 * width, [&](const spike::PixelRowsKernels& rows, std::uint8_t* out) {
                        rows.to_packed[layout][order]({luma.data(), u.data(), v.data(), 0, 0, 0}, out, 0, {width, 1},
                                                      matrices.to_rgb);
                    });
                check_variants(2 * width + 2 * pairs, [&](const spike::PixelRowsKernels& rows, std::uint8_t* out) {
                    std::uint8_t* chroma = out + 2 * width;
                    rows.from_packed[order](packed.data(), stride, {out, chroma, chroma + pairs, luma_stride, 0, 0},
                                            {width, 2}, matrices.to_yuv);
                });
                for (std::size_t to = 0; to < spike::packed_orders; ++to)
                    check_variants(4 * width, [&](const spike::PixelRowsKernels& rows, std::uint8_t* out) {
                        rows.repack[order][to](packed.data(), out, width);
                    });
            }
        }
    }
}

TEST_CASE("bytes are paired, parted and averaged alike, at every width") {
    for (const std::size_t count : widths) {
        CAPTURE(count);
        const Values a = bytes(2 * count, 1), b = bytes(count, 2);
        check_variants(2 * count, [&](const spike::PixelRowsKernels& rows, std::uint8_t* out) {
            rows.deinterleave(a.data(), out, out + count, count);
        });
        check_variants(2 * count, [&](const spike::PixelRowsKernels& rows, std::uint8_t* out) {
            rows.interleave(a.data(), b.data(), out, count);
        });
        check_variants(count, [&](const spike::PixelRowsKernels& rows, std::uint8_t* out) {
            rows.average(a.data(), b.data(), out, count);
        });
    }
}

TEST_CASE("planes are scaled to the same bytes") {
    for (const auto scaling : {spike::Scaling::area, spike::Scaling::bilinear, spike::Scaling::bicubic}) {
        for (const std::size_t channels : {1u, 2u, 3u, 4u}) {
            for (const std::size_t to : {7u, 50u, 120u, 150u, 233u}) {
                CAPTURE(channels);
                CAPTURE(to);
                const spike::PlaneShape from{40, 180, channels}, shape{30, to, channels};
                const Values in = bytes(from.rows * from.row_bytes(), 6);
                const auto run = [&](const spike::ScaleRowsKernels& rows) {
                    Values out(shape.rows * shape.row_bytes());
                    spike::PlaneScaler(from, shape, scaling, rows)
                        .run(in.data(), static_cast<std::ptrdiff_t>(from.row_bytes()), out.data(),
                             static_cast<std::ptrdiff_t>(shape.row_bytes()), 0, shape.rows);
                    return out;
                };
                const Values expected = run(spike::scalar::scale_rows_kernels_variant);
                for (const auto isa : variants()) {
                    CAPTURE(spike::isa_name(isa));
                    CHECK(run(spike::scale_rows_kernels(isa)) == expected);
                }
            }
        }
    }
}
