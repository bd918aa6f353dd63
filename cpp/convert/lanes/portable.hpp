// 16 bytes, or 8 words of 16 bits, in plain C++: what the vector variants must agree with.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace spike::SPIKE_ISA {
namespace {

constexpr std::size_t byte_lanes = 16, word_lanes = 8;
struct Bytes {
    std::uint8_t lane[byte_lanes];
};
struct Words {
    std::uint16_t lane[word_lanes];
};
struct Bytes2 {
    Bytes first, second;
};
struct Bytes3 {
    Bytes first, second, third;
};

inline std::int32_t as_signed(std::uint16_t word) noexcept { return static_cast<std::int16_t>(word); }

template <typename Make>
Words each_word(Make make) noexcept {
    Words words;
    for (std::size_t n = 0; n < word_lanes; ++n) words.lane[n] = static_cast<std::uint16_t>(make(n));
    return words;
}

template <typename Make>
Bytes each_byte(Make make) noexcept {
    Bytes bytes;
    for (std::size_t n = 0; n < byte_lanes; ++n) bytes.lane[n] = static_cast<std::uint8_t>(make(n));
    return bytes;
}

inline Bytes load(const std::uint8_t* from) noexcept {
    Bytes bytes;
    std::memcpy(&bytes, from, sizeof bytes);
    return bytes;
}
inline void store(std::uint8_t* to, const Bytes& bytes) noexcept { std::memcpy(to, &bytes, sizeof bytes); }
inline Words load_words(const std::uint16_t* from) noexcept {
    Words words;
    std::memcpy(&words, from, sizeof words);
    return words;
}
inline void store_words(std::uint16_t* to, const Words& words) noexcept { std::memcpy(to, &words, sizeof words); }
inline Words repeat(std::int32_t word) noexcept {
    return each_word([=](std::size_t) { return word; });
}
inline Bytes repeat_byte(std::uint8_t byte) noexcept {
    return each_byte([=](std::size_t) { return byte; });
}

inline Words add(const Words& a, const Words& b) noexcept {
    return each_word([&](std::size_t n) { return a.lane[n] + b.lane[n]; });
}
inline Words subtract(const Words& a, const Words& b) noexcept {
    return each_word([&](std::size_t n) { return a.lane[n] - b.lane[n]; });
}
inline Words add_saturated(const Words& a, const Words& b) noexcept {
    return each_word(
        [&](std::size_t n) { return std::clamp(as_signed(a.lane[n]) + as_signed(b.lane[n]), -32768, 32767); });
}
// The upper half of the product of unsigned words.
inline Words multiply_high(const Words& a, const Words& b) noexcept {
    return each_word([&](std::size_t n) { return (std::uint32_t{a.lane[n]} * b.lane[n]) >> 16; });
}
// The product of signed words in units of 2^15, rounded.
inline Words multiply_round(const Words& a, const Words& b) noexcept {
    return each_word([&](std::size_t n) { return (as_signed(a.lane[n]) * as_signed(b.lane[n]) + (1 << 14)) >> 15; });
}
inline Words flip_sign(const Words& a) noexcept {
    return each_word([&](std::size_t n) { return a.lane[n] ^ 0x8000; });
}
template <int bits>
Words shift_left(const Words& a) noexcept {
    return each_word([&](std::size_t n) { return a.lane[n] << bits; });
}
template <int bits>
Words shift_right(const Words& a) noexcept {
    return each_word([&](std::size_t n) { return a.lane[n] >> bits; });
}

// The bytes at even (odd) places as words, in the upper half of each.
inline Words even_high(const Bytes& a) noexcept {
    return each_word([&](std::size_t n) { return a.lane[2 * n] << 8; });
}
inline Words odd_high(const Bytes& a) noexcept {
    return each_word([&](std::size_t n) { return a.lane[2 * n + 1] << 8; });
}
// The upper halves of two words, as bytes that take turns.
inline Bytes join_high(const Words& even, const Words& odd) noexcept {
    return each_byte([&](std::size_t n) { return (n % 2 ? odd : even).lane[n / 2] >> 8; });
}
inline std::int32_t saturated(std::int32_t value) noexcept { return std::clamp(value, 0, 255); }
// Signed words without their `bits` lowest bits, as bytes: in whatever order store3<true> and store4<true> take.
template <int bits>
Bytes join_split(const Words& even, const Words& odd) noexcept {
    return each_byte([&](std::size_t n) { return saturated(as_signed((n % 2 ? odd : even).lane[n / 2]) >> bits); });
}
// As many bytes as there are words, in their upper halves.
inline Words load_high(const std::uint8_t* from) noexcept {
    return each_word([&](std::size_t n) { return from[n] << 8; });
}
template <int bits>
void store_saturated(std::uint8_t* to, const Words& words) noexcept {
    for (std::size_t n = 0; n < word_lanes; ++n)
        to[n] = static_cast<std::uint8_t>(saturated(as_signed(words.lane[n]) >> bits));
}
template <int bits>
void store_both(std::uint8_t* to_a, const Words& a, std::uint8_t* to_b, const Words& b) noexcept {
    store_saturated<bits>(to_a, a);
    store_saturated<bits>(to_b, b);
}
inline void store_high(std::uint8_t* to, const Words& words) noexcept {
    for (std::size_t n = 0; n < word_lanes; ++n) to[n] = static_cast<std::uint8_t>(words.lane[n] >> 8);
}
// The sums of neighbours, times 32.
inline Words pair_sums(const Bytes& a) noexcept {
    return each_word([&](std::size_t n) { return (a.lane[2 * n] + a.lane[2 * n + 1]) * 32; });
}
inline Bytes average(const Bytes& a, const Bytes& b) noexcept {
    return each_byte([&](std::size_t n) { return (a.lane[n] + b.lane[n] + 1) / 2; });
}

// --- bytes that lie side by side and bytes that lie apart
// --------------------------------------------------------------

inline Bytes2 deinterleave(const Bytes& a, const Bytes& b) noexcept {
    const auto part = [&](std::size_t odd) {
        return each_byte([&, odd](std::size_t n) { return (n < 8 ? a : b).lane[n % 8 * 2 + odd]; });
    };
    return {part(0), part(1)};
}

inline Bytes2 interleave(const Bytes& a, const Bytes& b) noexcept {
    const auto part = [&](std::size_t begin) {
        return each_byte([&, begin](std::size_t n) { return (n % 2 ? b : a).lane[begin + n / 2]; });
    };
    return {part(0), part(8)};
}

template <std::size_t step, std::size_t begin>
Bytes3 load_apart(const std::uint8_t* from) noexcept {
    const auto channel = [=](std::size_t which) {
        return each_byte([=](std::size_t n) { return from[step * n + begin + which]; });
    };
    return {channel(0), channel(1), channel(2)};
}

inline Bytes3 load3(const std::uint8_t* from) noexcept { return load_apart<3, 0>(from); }

// Three of four channels, the first of which is `begin`.
template <std::size_t begin>
Bytes3 load4(const std::uint8_t* from) noexcept {
    return load_apart<4, begin>(from);
}

template <bool split = false>
void store3(std::uint8_t* to, const Bytes3& a) noexcept {
    for (std::size_t n = 0; n < byte_lanes; ++n) {
        to[3 * n] = a.first.lane[n];
        to[3 * n + 1] = a.second.lane[n];
        to[3 * n + 2] = a.third.lane[n];
    }
}

template <bool split = false>
void store4(std::uint8_t* to, const Bytes& a, const Bytes& b, const Bytes& c, const Bytes& d) noexcept {
    for (std::size_t n = 0; n < byte_lanes; ++n) {
        to[4 * n] = a.lane[n];
        to[4 * n + 1] = b.lane[n];
        to[4 * n + 2] = c.lane[n];
        to[4 * n + 3] = d.lane[n];
    }
}

}  // namespace
}  // namespace spike::SPIKE_ISA
