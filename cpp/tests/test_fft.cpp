#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <random>
#include <stdexcept>
#include <vector>

#include "base/fft.hpp"

namespace {

std::vector<float> noise(std::size_t count) {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    std::vector<float> samples(count);
    for (float& sample : samples) sample = normal(random);
    return samples;
}

}  // namespace

TEST_CASE("the FFT agrees with the definition of the transform") {
    for (const std::size_t size : {3u, 4u, 6u, 7u, 10u, 14u, 16u, 320u, 640u, 882u, 960u, 1024u, 1323u}) {
        CAPTURE(size);
        spike::RealFft fft(size);
        const auto time = noise(size);
        spike::Spectrum spectrum(fft.bins());
        fft.forward(time, spectrum);
        for (std::size_t k = 0; k < fft.bins(); ++k) {
            double expected_real = 0.0, expected_imag = 0.0;
            for (std::size_t n = 0; n < size; ++n) {
                const double angle =
                    -2.0 * std::numbers::pi * static_cast<double>(k * n % size) / static_cast<double>(size);
                expected_real += time[n] * std::cos(angle);
                expected_imag += time[n] * std::sin(angle);
            }
            const double tolerance = 3e-6 * static_cast<double>(size);
            CHECK(std::abs(spectrum.real[k] - expected_real) < tolerance);
            CHECK(std::abs(spectrum.imag[k] - expected_imag) < tolerance);
        }
    }
}

TEST_CASE("the inverse FFT brings the samples back") {
    for (const std::size_t size : {3u, 320u, 882u, 960u, 1323u}) {
        CAPTURE(size);
        spike::RealFft fft(size);
        const auto time = noise(size);
        spike::Spectrum spectrum(fft.bins());
        std::vector<float> back(size);
        fft.forward(time, spectrum);
        fft.inverse(spectrum, back);
        for (std::size_t n = 0; n < size; ++n) CHECK(std::abs(back[n] - time[n]) < 2e-5f);
    }
}

TEST_CASE("blocks side by side become what they become one by one") {
    for (const std::size_t size : {14u, 320u, 480u, 882u, 1323u, 1440u}) {
        for (const std::size_t lanes : {2u, 5u, 16u}) {
            CAPTURE(size);
            CAPTURE(lanes);
            spike::RealFft one(size), wide(size, spike::active_isa(), lanes);
            const auto time = noise(size * lanes);
            std::vector<float> back(time.size()), block(size), block_back(size);
            spike::Spectrum rows(wide.bins() * lanes), spectrum(one.bins());
            wide.forward(time, rows);
            wide.inverse(rows, back);
            for (std::size_t lane = 0; lane < lanes; ++lane) {
                for (std::size_t n = 0; n < size; ++n) block[n] = time[n * lanes + lane];
                one.forward(block, spectrum);
                one.inverse(spectrum, block_back);
                for (std::size_t k = 0; k < one.bins(); ++k) {
                    CHECK(rows.real[k * lanes + lane] == spectrum.real[k]);
                    CHECK(rows.imag[k * lanes + lane] == spectrum.imag[k]);
                }
                for (std::size_t n = 0; n < size; ++n) CHECK(back[n * lanes + lane] == block_back[n]);
            }
        }
    }
}

TEST_CASE("sizes that the FFT cannot do are refused") {
    for (const std::size_t size : {0u, 1u, 2u, 11u, 22u, 961u}) {
        CAPTURE(size);
        CHECK_THROWS_AS(spike::RealFft{size}, std::invalid_argument);
    }
}
