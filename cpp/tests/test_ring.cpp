#include <doctest/doctest.h>

#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/ring.hpp"

TEST_CASE("what is pushed is popped, in order and around the end") {
    spike::Ring ring(5);
    std::vector<float> out(3);
    float next = 0.0f, expected = 0.0f;
    for (int round = 0; round < 10; ++round) {
        const std::vector<float> in{next, next + 1, next + 2};
        next += 3;
        CHECK(ring.push(in) == 3);
        CHECK(ring.pop(out) == 3);
        for (const float sample : out) CHECK(sample == expected++);
    }
    CHECK(ring.overruns() == 0);
    CHECK(ring.underruns() == 0);
}

TEST_CASE("what does not fit is counted, and what is missing is silence") {
    spike::Ring ring(4);
    CHECK(ring.push(std::vector<float>{1, 2, 3, 4, 5, 6}) == 4);
    CHECK(ring.overruns() == 2);
    std::vector<float> out(6, 9.0f);
    CHECK(ring.pop(out) == 4);
    CHECK(out == std::vector<float>{1, 2, 3, 4, 0, 0});
    CHECK(ring.underruns() == 2);
}

TEST_CASE("clear drops what is queued") {
    spike::Ring ring(4);
    ring.push(std::vector<float>{1, 2});
    ring.clear();
    CHECK(ring.available() == 0);
}

TEST_CASE("a ring without room is refused") { CHECK_THROWS_AS(spike::Ring{0}, std::invalid_argument); }

TEST_CASE("two threads exchange every sample") {
    constexpr std::size_t total = 200000;
    spike::Ring ring(1000);
    std::thread writer([&ring] {
        std::vector<float> block(64);
        for (std::size_t sent = 0; sent < total;) {
            const std::size_t count = std::min(block.size(), total - sent);
            for (std::size_t n = 0; n < count; ++n) block[n] = static_cast<float>((sent + n) % 4096);
            sent += ring.push(std::span(block).first(count));
        }
    });
    std::vector<float> block(48);
    std::size_t received = 0, wrong = 0;
    while (received < total) {
        const std::size_t count = ring.pop(block);
        for (std::size_t n = 0; n < count; ++n) wrong += block[n] != static_cast<float>((received + n) % 4096);
        received += count;
    }
    writer.join();
    CHECK(wrong == 0);
}
