// 64 bytes, or 32 words of 16 bits: AVX-512 with VBMI, whose byte shuffles reach across the register.
#pragma once

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the registers that its own header leaves undefined on purpose for mistakes.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace spike::SPIKE_ISA {
namespace {

using Bytes = __m512i;
using Words = __m512i;
constexpr std::size_t byte_lanes = 64, word_lanes = 32;

inline Bytes load(const std::uint8_t* from) noexcept { return _mm512_loadu_si512(from); }
inline void store(std::uint8_t* to, Bytes bytes) noexcept { _mm512_storeu_si512(to, bytes); }
inline Words load_words(const std::uint16_t* from) noexcept { return _mm512_loadu_si512(from); }
inline void store_words(std::uint16_t* to, Words words) noexcept { _mm512_storeu_si512(to, words); }
inline Words repeat(std::int32_t word) noexcept { return _mm512_set1_epi16(static_cast<short>(word)); }
inline Bytes repeat_byte(std::uint8_t byte) noexcept { return _mm512_set1_epi8(static_cast<char>(byte)); }

inline Words add(Words a, Words b) noexcept { return _mm512_add_epi16(a, b); }
inline Words subtract(Words a, Words b) noexcept { return _mm512_sub_epi16(a, b); }
inline Words add_saturated(Words a, Words b) noexcept { return _mm512_adds_epi16(a, b); }
inline Words multiply_high(Words a, Words b) noexcept { return _mm512_mulhi_epu16(a, b); }
inline Words multiply_round(Words a, Words b) noexcept { return _mm512_mulhrs_epi16(a, b); }
inline Words flip_sign(Words a) noexcept { return _mm512_xor_si512(a, repeat(0x8000)); }
template <int bits>
Words shift_right(Words a) noexcept {
    return _mm512_srli_epi16(a, bits);
}

inline Words even_high(Bytes a) noexcept { return _mm512_slli_epi16(a, 8); }
inline Words odd_high(Bytes a) noexcept { return _mm512_and_si512(a, repeat(0xff00)); }
template <int bits>
Bytes join_split(Words even, Words odd) noexcept {
    return _mm512_packus_epi16(_mm512_srai_epi16(even, bits), _mm512_srai_epi16(odd, bits));
}
template <int bits>
void store_saturated(std::uint8_t* to, Words words) noexcept {
    const __m512i clamped = _mm512_max_epi16(_mm512_srai_epi16(words, bits), _mm512_setzero_si512());
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtusepi16_epi8(clamped));
}
template <int bits>
void store_both(std::uint8_t* to_a, Words a, std::uint8_t* to_b, Words b) noexcept {
    const __m512i apart = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), join_split<bits>(a, b));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to_a), _mm512_castsi512_si256(apart));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to_b), _mm512_extracti64x4_epi64(apart, 1));
}
inline void store_high(std::uint8_t* to, Words words) noexcept {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi16_epi8(_mm512_srli_epi16(words, 8)));
}
inline Bytes average(Bytes a, Bytes b) noexcept { return _mm512_avg_epu8(a, b); }

// --- bytes that lie side by side and bytes that lie apart
// --------------------------------------------------------------

struct Bytes2 {
    Bytes first, second;
};
struct Bytes3 {
    Bytes first, second, third;
};

template <typename Make>
constexpr std::array<std::uint8_t, 64> shuffle_of(Make make) {
    std::array<std::uint8_t, 64> table{};
    for (std::size_t n = 0; n < 64; ++n) table[n] = static_cast<std::uint8_t>(make(n));
    return table;
}

template <typename Test>
constexpr std::uint64_t mask_of(Test test) {
    std::uint64_t mask = 0;
    for (std::size_t n = 0; n < 64; ++n) mask |= static_cast<std::uint64_t>(test(n)) << n;
    return mask;
}

// Every `step`th byte of many, from the `channel`th on. The shuffles look at the low bits of a place only, so that one
// table serves the registers that the bytes come from.
template <std::size_t step, std::size_t channel>
alignas(64) inline constexpr auto apart = shuffle_of([](std::size_t n) { return step * n + channel; });
// The bytes of the `part`th register of many in which `step` channels take turns: odd channels are those of the second
// register that is shuffled. `split` bytes are those of join_split.
template <std::size_t step, std::size_t part, bool split = false>
alignas(64) inline constexpr auto together = shuffle_of([](std::size_t n) {
    const std::size_t at = 64 * part + n, place = at / step;
    return (split ? place / 16 * 16 + place % 2 * 8 + place % 16 / 2 : place) + at % step % 2 * 64;
});
template <std::size_t part>
constexpr std::uint64_t from_third = mask_of([](std::size_t n) { return (64 * part + n) % 3 == 2; });

inline Bytes table(const std::array<std::uint8_t, 64>& bytes) noexcept { return _mm512_load_si512(bytes.data()); }

constexpr std::uint64_t upper_halves = 0xaaaaaaaaaaaaaaaa;  // of words

alignas(64) inline constexpr auto each_word = shuffle_of([](std::size_t n) { return n / 2; });
inline Words widen(__m256i bytes) noexcept {
    return _mm512_maskz_permutexvar_epi8(upper_halves, table(each_word), _mm512_castsi256_si512(bytes));
}
inline Words load_high(const std::uint8_t* from) noexcept {
    return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
inline Words load_high_signed(const std::uint8_t* from) noexcept {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return widen(_mm256_xor_si256(bytes, _mm256_set1_epi8(-128)));
}

inline Bytes2 deinterleave(Bytes a, Bytes b) noexcept {
    return {_mm512_permutex2var_epi8(a, table(apart<2, 0>), b), _mm512_permutex2var_epi8(a, table(apart<2, 1>), b)};
}

inline Bytes2 interleave(Bytes a, Bytes b) noexcept {
    return {_mm512_permutex2var_epi8(a, table(together<2, 0>), b),
            _mm512_permutex2var_epi8(a, table(together<2, 1>), b)};
}

template <std::size_t channel>
Bytes one_of_three(Bytes a, Bytes b, Bytes c) noexcept {
    constexpr std::uint64_t in_c = mask_of([](std::size_t n) { return 3 * n + channel >= 128; });
    const Bytes places = table(apart<3, channel>);
    return _mm512_mask_permutexvar_epi8(_mm512_permutex2var_epi8(a, places, b), in_c, places, c);
}

inline Bytes3 load3(const std::uint8_t* from) noexcept {
    const Bytes a = load(from), b = load(from + 64), c = load(from + 128);
    return {one_of_three<0>(a, b, c), one_of_three<1>(a, b, c), one_of_three<2>(a, b, c)};
}

template <std::size_t part, bool split>
void store_part_of_three(std::uint8_t* to, const Bytes3& a) noexcept {
    const Bytes places = table(together<3, part, split>);
    const Bytes two = _mm512_permutex2var_epi8(a.first, places, a.second);
    store(to + 64 * part, _mm512_mask_permutexvar_epi8(two, from_third<part>, places, a.third));
}

template <bool split = false>
void store3(std::uint8_t* to, const Bytes3& a) noexcept {
    store_part_of_three<0, split>(to, a);
    store_part_of_three<1, split>(to, a);
    store_part_of_three<2, split>(to, a);
}

template <std::size_t channel>
Bytes one_of_four(const std::uint8_t* from) noexcept {
    const Bytes places = table(apart<4, channel>);
    return _mm512_mask_blend_epi8(0xffffffff00000000, _mm512_permutex2var_epi8(load(from), places, load(from + 64)),
                                  _mm512_permutex2var_epi8(load(from + 128), places, load(from + 192)));
}

// Three of four channels, the first of which is `begin`.
template <std::size_t begin>
Bytes3 load4(const std::uint8_t* from) noexcept {
    return {one_of_four<begin>(from), one_of_four<begin + 1>(from), one_of_four<begin + 2>(from)};
}

// Four bytes a pixel of which one is opaque, the first or the last. The table holds the places of two channels, in the
// end all bytes: the third's take the places of theirs, then the two are looked up.
template <std::size_t part, bool opaque_first, bool split>
void store_part_opaque(std::uint8_t* to, const Bytes3& a) noexcept {
    constexpr auto channel_of = [](std::size_t n) { return (n + (opaque_first ? 3 : 0)) % 4; };
    alignas(64) static constexpr auto start = shuffle_of([=](std::size_t n) {
        const std::size_t place = 16 * part + n / 4, channel = channel_of(n);
        const std::size_t at = split ? place / 16 * 16 + place % 2 * 8 + place % 16 / 2 : place;
        return channel == 3 ? 255 : channel == 1 ? at + 64 : at;
    });
    constexpr std::uint64_t third = mask_of([=](std::size_t n) { return channel_of(n) == 2; });
    constexpr std::uint64_t first_and_second = mask_of([=](std::size_t n) { return channel_of(n) < 2; });
    const Bytes with_third = _mm512_mask_permutexvar_epi8(table(start), third, table(start), a.third);
    store(to + 64 * part, _mm512_mask2_permutex2var_epi8(a.first, with_third, first_and_second, a.second));
}

template <bool opaque_first, bool split>
void store_opaque(std::uint8_t* to, const Bytes3& a) noexcept {
    store_part_opaque<0, opaque_first, split>(to, a);
    store_part_opaque<1, opaque_first, split>(to, a);
    store_part_opaque<2, opaque_first, split>(to, a);
    store_part_opaque<3, opaque_first, split>(to, a);
}

// --- what channels.hpp says, without a register of bytes in between
// ----------------------------------------------------------------------------

// 32 pixels in each: those of even columns, then those of odd ones, in the upper halves of words.
struct Channel {
    Words left, right;
};
struct Channels {
    Channel first, second, third;
};

constexpr std::size_t column_of(std::size_t word) { return word < 16 ? 2 * word : 2 * (word - 16) + 1; }

// Of 32 pixels of 4 bytes in two registers, or of 3 bytes in two that share 32.
template <std::size_t bytes, std::size_t channel>
alignas(64) inline constexpr auto places_of = shuffle_of([](std::size_t n) {
    const std::size_t at = bytes * column_of(n / 2) + channel;
    return bytes == 3 && at >= 64 ? at + 32 : at;
});

template <std::size_t bytes, std::size_t channel>
Channel load_channel(const std::uint8_t* from) noexcept {
    constexpr std::size_t further = bytes == 3 ? 32 : 64;
    const Bytes places = table(places_of<bytes, channel>);
    const auto part = [&](const std::uint8_t* at) {
        return _mm512_maskz_permutex2var_epi8(upper_halves, load(at), places, load(at + further));
    };
    return {part(from), part(from + 32 * bytes)};
}

template <std::size_t bytes, std::size_t begin>
Channels load_channels(const std::uint8_t* from) noexcept {
    return {load_channel<bytes, begin>(from), load_channel<bytes, begin + 1>(from),
            load_channel<bytes, begin + 2>(from)};
}

inline Words first_words(const Channel& channel) noexcept { return channel.left; }
inline Words second_words(const Channel& channel) noexcept { return channel.right; }

inline void store_words_high(std::uint8_t* to, Words first, Words second) noexcept {
    alignas(64) static constexpr auto places = shuffle_of([](std::size_t n) {
        const std::size_t column = n % 32, word = column / 2 + column % 2 * 16;
        return 2 * word + 1 + n / 32 * 64;
    });
    store(to, _mm512_permutex2var_epi8(first, table(places), second));
}

inline Words sums_of_four(const Channel& above, const Channel& below) noexcept {
    const Words left = _mm512_avg_epu16(above.left, below.left), right = _mm512_avg_epu16(above.right, below.right);
    constexpr int low_lanes = 0x44, high_lanes = 0xee;
    const Words even = _mm512_shuffle_i64x2(left, right, low_lanes),
                odd = _mm512_shuffle_i64x2(left, right, high_lanes);
    return shift_right<1>(_mm512_avg_epu16(even, odd));
}

}  // namespace
}  // namespace spike::SPIKE_ISA
