// Every variant of a kernel that this processor can run gives what the baseline gives.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "base/aligned.hpp"
#include "base/cpu.hpp"
#include "dsp/echo/partition_kernels.hpp"
#include "dsp/resampler/convolution_kernels.hpp"

namespace {

std::vector<spike::Isa> variants() {
    std::vector<spike::Isa> found;
    for (const auto isa : {spike::Isa::avx2, spike::Isa::avx512, spike::Isa::neon})
        if (spike::supports(isa)) found.push_back(isa);
    return found;
}

}  // namespace

TEST_CASE_TEMPLATE("convolutions agree to rounding, whatever their number", Real, float, double) {
    constexpr std::size_t taps = 48, phases = 7, outputs = 90;
    std::mt19937 random(3);
    std::normal_distribution<Real> normal;
    spike::AlignedVector<Real> inputs(1000), rows(3 * spike::chunk_taps * taps);
    std::generate(inputs.begin(), inputs.end(), [&] { return normal(random); });
    std::generate(rows.begin(), rows.end(), [&] { return normal(random); });
    const spike::FilterBank<Real> bank{rows.data(), taps, 1.0};
    const auto kernels_of = [](spike::Isa isa) -> const spike::Convolution<Real>& {
        if constexpr (std::is_same_v<Real, float>)
            return spike::convolution_kernels(isa).single_precision;
        else
            return spike::convolution_kernels(isa).double_precision;
    };
    using Kernels = spike::Convolution<Real>;
    struct Case {
        typename Kernels::Kernel Kernels::* kernel;
        spike::Walk walk;
    };
    const Case cases[] = {{&Kernels::exact, spike::Walk({.first = 2, .phase = 3}, phases, 3 * phases + 2)},
                          {&Kernels::polynomial, spike::Walk({.first = 2, .phase = 3}, phases, phases - 1)},
                          {&Kernels::decimating, spike::Walk({.first = 5}, 1, 2)},
                          {&Kernels::decimating, spike::Walk({.first = 5}, 1, 3)},
                          {&Kernels::decimating, spike::Walk({.first = 7}, 1, 6)},
                          {&Kernels::interpolating, spike::Walk({.first = 5}, phases, 1)}};
    for (const auto isa : variants())
        for (const auto& [kernel, walk] : cases)
            for (const std::size_t count : {phases, 3 * phases, outputs / phases * phases}) {
                CAPTURE(spike::isa_name(isa));
                std::vector<Real> expected(count), actual(count);
                const auto reached =
                    (kernels_of(spike::Isa::baseline).*kernel)(bank, inputs.data(), walk, expected.data(), count);
                const auto behind = (kernels_of(isa).*kernel)(bank, inputs.data(), walk, actual.data(), count);
                CHECK(behind.place.first == reached.place.first);
                CHECK(behind.place.phase == reached.place.phase);
                for (std::size_t k = 0; k < count; ++k) CHECK(std::abs(actual[k] - expected[k]) < Real{1e-4});
            }
}

TEST_CASE("samples are kept as inputs, and what is no number as silence") {
    constexpr std::size_t count = 37;
    std::vector<float> samples(count, 0.25f);
    samples[3] = NAN, samples[17] = INFINITY, samples[36] = -INFINITY;
    const std::vector<std::int16_t> integers(count, -8192);
    for (const auto isa : {spike::Isa::baseline, spike::Isa::avx2, spike::Isa::avx512, spike::Isa::neon}) {
        if (!spike::supports(isa)) continue;
        std::vector<float> kept(count, 9.0f);
        spike::convolution_kernels(isa).single_precision.keep(samples.data(), count, kept.data());
        for (std::size_t n = 0; n < count; ++n) CHECK(kept[n] == (std::isfinite(samples[n]) ? samples[n] : 0.0f));
        spike::convolution_kernels(isa).single_precision.keep(integers.data(), count, kept.data());
        CHECK(std::all_of(kept.begin(), kept.end(), [](float sample) { return sample == -0.25f; }));
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
        const auto& kernels = spike::partition_kernels(isa);
        std::vector<std::vector<float>> state(6, w);
        kernels.predict({xr.data(), xi.data()}, {state[0].data(), state[1].data(), state[2].data()},
                        {state[3].data(), state[4].data(), state[5].data()}, bins);
        kernels.adapt({xr.data(), xi.data()}, {state[0].data(), state[1].data(), state[2].data()},
                      {gr.data(), gi.data(), share.data()}, 0.999f, 0.001f, bins);
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
