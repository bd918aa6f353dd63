// 32 bytes, or 16 words of 16 bits: AVX2, whose byte shuffles stay within halves of 16 bytes.
#pragma once

#include <immintrin.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace spike::SPIKE_ISA {
namespace {

using Bytes = __m256i;
using Words = __m256i;
constexpr std::size_t byte_lanes = 32, word_lanes = 16;

inline Bytes load(const std::uint8_t* from) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
inline void store(std::uint8_t* to, Bytes bytes) noexcept {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bytes);
}
inline Words load_words(const std::uint16_t* from) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
inline void store_words(std::uint16_t* to, Words words) noexcept {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), words);
}
inline Words repeat(std::int32_t word) noexcept { return _mm256_set1_epi16(static_cast<short>(word)); }
inline Bytes repeat_byte(std::uint8_t byte) noexcept { return _mm256_set1_epi8(static_cast<char>(byte)); }

inline Words add(Words a, Words b) noexcept { return _mm256_add_epi16(a, b); }
inline Words subtract(Words a, Words b) noexcept { return _mm256_sub_epi16(a, b); }
inline Words add_saturated(Words a, Words b) noexcept { return _mm256_adds_epi16(a, b); }
inline Words multiply_high(Words a, Words b) noexcept { return _mm256_mulhi_epu16(a, b); }
inline Words multiply_round(Words a, Words b) noexcept { return _mm256_mulhrs_epi16(a, b); }
inline Words flip_sign(Words a) noexcept { return _mm256_xor_si256(a, repeat(0x8000)); }
template <int bits>
Words shift_right(Words a) noexcept {
    return _mm256_srli_epi16(a, bits);
}

inline Words even_high(Bytes a) noexcept { return _mm256_slli_epi16(a, 8); }
inline Words odd_high(Bytes a) noexcept { return _mm256_and_si256(a, repeat(0xff00)); }
inline Bytes join_high(Words even, Words odd) noexcept {
    return _mm256_or_si256(_mm256_srli_epi16(even, 8), odd_high(odd));
}
template <int bits>
Bytes join_split(Words even, Words odd) noexcept {
    return _mm256_packus_epi16(_mm256_srai_epi16(even, bits), _mm256_srai_epi16(odd, bits));
}
inline Words load_high(const std::uint8_t* from) noexcept {
    return _mm256_slli_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))), 8);
}
template <int bits>
void store_saturated(std::uint8_t* to, Words words) noexcept {
    const __m256i shifted = _mm256_srai_epi16(words, bits);
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi16(shifted, shifted), 0b1000);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(packed));
}
template <int bits>
void store_both(std::uint8_t* to_a, Words a, std::uint8_t* to_b, Words b) noexcept {
    const __m256i apart = _mm256_permute4x64_epi64(join_split<bits>(a, b), 0b11011000);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to_a), _mm256_castsi256_si128(apart));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to_b), _mm256_extracti128_si256(apart, 1));
}
inline void store_high(std::uint8_t* to, Words words) noexcept { store_saturated<0>(to, _mm256_srli_epi16(words, 8)); }
inline Words pair_sums(Bytes a) noexcept { return _mm256_maddubs_epi16(a, _mm256_set1_epi8(32)); }
inline Bytes average(Bytes a, Bytes b) noexcept { return _mm256_avg_epu8(a, b); }

// --- bytes that lie side by side and bytes that lie apart
// --------------------------------------------------------------

struct Bytes2 {
    Bytes first, second;
};
struct Bytes3 {
    Bytes first, second, third;
};

constexpr int low_halves = 0x20, high_halves = 0x31;

inline Bytes2 deinterleave(Bytes a, Bytes b) noexcept {
    const Bytes low = repeat(0x00ff);
    const Bytes even = _mm256_packus_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
    const Bytes odd = _mm256_packus_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8));
    return {_mm256_permute4x64_epi64(even, 0b11011000), _mm256_permute4x64_epi64(odd, 0b11011000)};
}

inline Bytes2 interleave(Bytes a, Bytes b) noexcept {
    const Bytes low = _mm256_unpacklo_epi8(a, b), high = _mm256_unpackhi_epi8(a, b);
    return {_mm256_permute2x128_si256(low, high, low_halves), _mm256_permute2x128_si256(low, high, high_halves)};
}

// 16 bytes from here and 16 from there.
inline Bytes load_halves(const std::uint8_t* low, const std::uint8_t* high) noexcept {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(low))),
                                   _mm_loadu_si128(reinterpret_cast<const __m128i*>(high)), 1);
}

template <typename Make>
constexpr std::array<std::uint8_t, 16> shuffle_of(Make make) {
    std::array<std::uint8_t, 16> table{};
    for (std::size_t n = 0; n < 16; ++n) table[n] = static_cast<std::uint8_t>(make(n));
    return table;
}

inline Bytes shuffle(Bytes a, const std::array<std::uint8_t, 16>& table) noexcept {
    return _mm256_shuffle_epi8(
        a, _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table.data()))));
}

// Three times 16 bytes, in which three channels take turns: since 16 is no multiple of 3, every channel has other
// places in each part, and together all of them. So parts are blended first and shuffled once.
template <std::size_t turn>
alignas(16) inline constexpr auto every_third = shuffle_of([](std::size_t n) { return n % 3 == turn % 3 ? 0x80 : 0; });

template <std::size_t turn>
Bytes blend(Bytes a, Bytes b) noexcept {
    const __m128i mask = _mm_load_si128(reinterpret_cast<const __m128i*>(every_third<turn>.data()));
    return _mm256_blendv_epi8(a, b, _mm256_broadcastsi128_si256(mask));
}

template <std::size_t channel>
alignas(16) inline constexpr auto apart = shuffle_of([](std::size_t n) { return (3 * n + channel) % 16; });
template <std::size_t channel, bool split>
alignas(16) inline constexpr auto together = shuffle_of([](std::size_t n) {
    const std::size_t part = (channel + 48 - n) % 3, place = (16 * part + n) / 3;
    return split ? place % 2 * 8 + place / 2 : place;
});

template <std::size_t channel>
Bytes one_of_three(Bytes a, Bytes b, Bytes c) noexcept {
    return shuffle(blend<channel + 1>(blend<channel + 2>(a, b), c), apart<channel>);
}

inline Bytes3 load3(const std::uint8_t* from) noexcept {
    const Bytes a = load_halves(from, from + 48), b = load_halves(from + 16, from + 64),
                c = load_halves(from + 32, from + 80);
    return {one_of_three<0>(a, b, c), one_of_three<1>(a, b, c), one_of_three<2>(a, b, c)};
}

template <bool split = false>
void store3(std::uint8_t* to, const Bytes3& channels) noexcept {
    const Bytes first = shuffle(channels.first, together<0, split>),
                second = shuffle(channels.second, together<1, split>),
                third = shuffle(channels.third, together<2, split>);
    const Bytes a = blend<2>(blend<1>(first, second), third), b = blend<1>(blend<0>(first, second), third),
                c = blend<0>(blend<2>(first, second), third);
    constexpr int high_of_second = 0x30;  // the low half of the first, the high half of the second
    store(to, _mm256_permute2x128_si256(a, b, low_halves));
    store(to + 32, _mm256_permute2x128_si256(c, a, high_of_second));
    store(to + 64, _mm256_permute2x128_si256(b, c, high_halves));
}

// Three of four channels, the first of which is `begin`.
template <std::size_t begin>
Bytes3 load4(const std::uint8_t* from) noexcept {
    alignas(16) static constexpr auto by_channel =
        shuffle_of([](std::size_t n) { return (n / 4 + begin) % 4 + n % 4 * 4; });
    const Bytes a = shuffle(load_halves(from, from + 64), by_channel);
    const Bytes b = shuffle(load_halves(from + 16, from + 80), by_channel);
    const Bytes c = shuffle(load_halves(from + 32, from + 96), by_channel);
    const Bytes d = shuffle(load_halves(from + 48, from + 112), by_channel);
    const Bytes ab = _mm256_unpacklo_epi32(a, b), cd = _mm256_unpacklo_epi32(c, d);
    return {_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd),
            _mm256_unpacklo_epi64(_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d))};
}

alignas(16) inline constexpr auto of_split = shuffle_of([](std::size_t n) { return n % 2 * 8 + n / 2; });

template <bool split = false>
void store4(std::uint8_t* to, Bytes a, Bytes b, Bytes c, Bytes d) noexcept {
    if constexpr (split)
        a = shuffle(a, of_split), b = shuffle(b, of_split), c = shuffle(c, of_split), d = shuffle(d, of_split);
    const Bytes ab = _mm256_unpacklo_epi8(a, b), ab_high = _mm256_unpackhi_epi8(a, b);
    const Bytes cd = _mm256_unpacklo_epi8(c, d), cd_high = _mm256_unpackhi_epi8(c, d);
    const Bytes p = _mm256_unpacklo_epi16(ab, cd), q = _mm256_unpackhi_epi16(ab, cd);
    const Bytes r = _mm256_unpacklo_epi16(ab_high, cd_high), s = _mm256_unpackhi_epi16(ab_high, cd_high);
    store(to, _mm256_permute2x128_si256(p, q, low_halves));
    store(to + 32, _mm256_permute2x128_si256(r, s, low_halves));
    store(to + 64, _mm256_permute2x128_si256(p, q, high_halves));
    store(to + 96, _mm256_permute2x128_si256(r, s, high_halves));
}

}  // namespace
}  // namespace spike::SPIKE_ISA
