// Every variant of a kernel that this processor can run gives what the baseline gives.
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "base/cpu.hpp"
#include "convert/pixel_rows.hpp"
#include "dsp/echo/partition.hpp"
#include "dsp/resampler/dot_product.hpp"

namespace {

std::vector<spike::Isa> variants() {
    std::vector<spike::Isa> found;
    for (const auto isa : {spike::Isa::avx2, spike::Isa::avx512, spike::Isa::neon})
        if (spike::supports(isa)) found.push_back(isa);
    return found;
}

std::vector<std::uint8_t> bytes(std::size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<std::uint8_t> values(count);
    for (auto& value : values) value = static_cast<std::uint8_t>(random());
    return values;
}

}  // namespace

TEST_CASE("dot products agree to rounding") {
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    std::vector<float> a(208), b(208), c(208);
    for (std::size_t n = 0; n < a.size(); ++n) {
        a[n] = normal(random);
        b[n] = normal(random);
        c[n] = normal(random);
    }
    const auto& baseline = spike::dot_product(spike::Isa::baseline);
    for (const auto isa : variants()) {
        CAPTURE(spike::isa_name(isa));
        const auto& kernel = spike::dot_product(isa);
        for (const std::size_t count : {16u, 80u, 208u}) {
            const float scale = 1e-6f * static_cast<float>(count);
            CHECK(std::abs(kernel.dot(a.data(), b.data(), count) - baseline.dot(a.data(), b.data(), count)) < scale);
            CHECK(std::abs(kernel.dot_between(a.data(), b.data(), c.data(), 0.3f, count) -
                           baseline.dot_between(a.data(), b.data(), c.data(), 0.3f, count)) < scale);
        }
    }
}

TEST_CASE("pixel rows are the same bytes, at every width") {
    const spike::ToRgb to_rgb{76309, 16, 104597, -25675, -53279, 132201};
    const spike::ToYuv to_yuv{16829, 33039, 6416, 16, -9714, -19071, 28784, 28784, -24103, -4681};
    const auto& baseline = spike::pixel_rows(spike::Isa::baseline);
    for (const auto isa : variants()) {
        const auto& kernel = spike::pixel_rows(isa);
        for (std::size_t width = 1; width < 200; width += 7) {
            CAPTURE(spike::isa_name(isa));
            CAPTURE(width);
            auto first = bytes(width, 1), second = bytes(width, 2), third = bytes(width, 3);
            const spike::Row in{first.data(), second.data(), third.data()};
            std::vector<std::uint8_t> expected(3 * width + 3), actual(3 * width + 3);
            const auto row_of = [width](std::vector<std::uint8_t>& values) {
                return spike::Row{values.data(), values.data() + width, values.data() + 2 * width};
            };
            baseline.to_rgb(in, row_of(expected), width, to_rgb);
            kernel.to_rgb(in, row_of(actual), width, to_rgb);
            CHECK(expected == actual);
            baseline.to_luma(in, expected.data(), width, to_yuv);
            kernel.to_luma(in, actual.data(), width, to_yuv);
            CHECK(expected == actual);
            baseline.to_chroma(in, in, expected.data(), expected.data() + width, width, to_yuv);
            kernel.to_chroma(in, in, actual.data(), actual.data() + width, width, to_yuv);
            CHECK(expected == actual);
            for (std::size_t order = 0; order < 5; ++order) {
                std::vector<std::uint8_t> packed_expected(4 * width), packed_actual(4 * width);
                baseline.packed[order].pack(in, packed_expected.data(), width);
                kernel.packed[order].pack(in, packed_actual.data(), width);
                CHECK(packed_expected == packed_actual);
                kernel.packed[order].unpack(packed_actual.data(), row_of(actual), width);
                for (std::size_t n = 0; n < width; ++n) CHECK(actual[n] == first[n]);
            }
        }
    }
}

TEST_CASE("the adaptive filter's loops agree to rounding") {
    constexpr std::size_t bins = 481;
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    const auto values = [&] {
        std::vector<float> made(bins);
        for (float& value : made) value = normal(random);
        return made;
    };
    const auto xr = values(), xi = values(), gr = values(), gi = values(), share = values();
    const auto w = values();
    const auto run = [&](spike::Isa isa) {
        const auto& loops = spike::partition_loops(isa);
        std::vector<std::vector<float>> state(6, w);
        loops.predict({xr.data(), xi.data()}, {state[0].data(), state[1].data(), state[2].data()},
                      {state[3].data(), state[4].data(), state[5].data()}, bins);
        loops.adapt({xr.data(), xi.data()}, {state[0].data(), state[1].data(), state[2].data()},
                    {gr.data(), gi.data(), share.data()}, 0.999f, bins);
        return state;
    };
    const auto expected = run(spike::Isa::baseline);
    for (const auto isa : variants()) {
        CAPTURE(spike::isa_name(isa));
        const auto actual = run(isa);
        for (std::size_t part = 0; part < expected.size(); ++part)
            for (std::size_t k = 0; k < bins; ++k)
                CHECK(std::abs(actual[part][k] - expected[part][k]) <= 1e-4f * (1.0f + std::abs(expected[part][k])));
    }
}
