// 16 bytes, or 8 words of 16 bits: SSE2, which every 64-bit x86 has. It shuffles no bytes, so that bytes change places
// by what two shuffles of a pack of cards do: take turns out of two halves, or part into two halves by turns.
#pragma once

#include <emmintrin.h>

#include <cstddef>
#include <cstdint>

namespace spike::SPIKE_ISA {
namespace {

using Bytes = __m128i;
using Words = __m128i;
constexpr std::size_t byte_lanes = 16, word_lanes = 8;
struct Bytes2 {
    Bytes first, second;
};
struct Bytes3 {
    Bytes first, second, third;
};

inline Bytes load(const std::uint8_t* from) noexcept { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); }
inline void store(std::uint8_t* to, Bytes bytes) noexcept { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes); }
inline Words load_words(const std::uint16_t* from) noexcept {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
inline void store_words(std::uint16_t* to, Words words) noexcept {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), words);
}
inline Words repeat(std::int32_t word) noexcept { return _mm_set1_epi16(static_cast<short>(word)); }
template <typename Make>
Words each_word(Make make) noexcept {
    const auto word = [&](std::size_t n) { return static_cast<short>(make(n)); };
    return _mm_setr_epi16(word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7));
}
inline Bytes repeat_byte(std::uint8_t byte) noexcept { return _mm_set1_epi8(static_cast<char>(byte)); }

inline Words add(Words a, Words b) noexcept { return _mm_add_epi16(a, b); }
inline Words subtract(Words a, Words b) noexcept { return _mm_sub_epi16(a, b); }
inline Words add_saturated(Words a, Words b) noexcept { return _mm_adds_epi16(a, b); }
inline Words multiply_high(Words a, Words b) noexcept { return _mm_mulhi_epu16(a, b); }
// The upper half twice, and of the lower the top two bits, whose mean with zero is rounded up.
inline Words multiply_round(Words a, Words b) noexcept {
    const Words high = _mm_mulhi_epi16(a, b), low = _mm_mullo_epi16(a, b);
    return add(add(high, high), _mm_avg_epu16(_mm_srli_epi16(low, 14), _mm_setzero_si128()));
}
inline Words flip_sign(Words a) noexcept { return _mm_xor_si128(a, repeat(0x8000)); }
template <int bits>
Words shift_right(Words a) noexcept {
    return _mm_srli_epi16(a, bits);
}

inline Words even_high(Bytes a) noexcept { return _mm_slli_epi16(a, 8); }
inline Words odd_high(Bytes a) noexcept { return _mm_and_si128(a, repeat(0xff00)); }
inline Bytes join_high(Words even, Words odd) noexcept { return _mm_or_si128(_mm_srli_epi16(even, 8), odd_high(odd)); }
template <int bits>
Bytes saturated(Words a, Words b) noexcept {
    return _mm_packus_epi16(_mm_srai_epi16(a, bits), _mm_srai_epi16(b, bits));
}
template <int bits>
Bytes join_split(Words even, Words odd) noexcept {
    const Bytes split = saturated<bits>(even, odd);
    return _mm_unpacklo_epi8(split, _mm_srli_si128(split, 8));
}
inline void store_low(std::uint8_t* to, Bytes bytes) noexcept {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), bytes);
}
inline Words load_high(const std::uint8_t* from) noexcept {
    return _mm_unpacklo_epi8(_mm_setzero_si128(), _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}
template <int bits>
void store_saturated(std::uint8_t* to, Words words) noexcept {
    store_low(to, saturated<bits>(words, words));
}
template <int bits>
void store_both(std::uint8_t* to_a, Words a, std::uint8_t* to_b, Words b) noexcept {
    const Bytes both = saturated<bits>(a, b);
    store_low(to_a, both);
    store_low(to_b, _mm_srli_si128(both, 8));
}
inline void store_high(std::uint8_t* to, Words words) noexcept { store_saturated<0>(to, _mm_srli_epi16(words, 8)); }
inline Words low_bytes(Bytes a) noexcept { return _mm_and_si128(a, repeat(0x00ff)); }
inline Words high_bytes(Bytes a) noexcept { return _mm_srli_epi16(a, 8); }
inline Words pair_sums(Bytes a) noexcept { return _mm_slli_epi16(add(low_bytes(a), high_bytes(a)), 5); }
inline Bytes average(Bytes a, Bytes b) noexcept { return _mm_avg_epu8(a, b); }

// --- bytes that lie side by side and bytes that lie apart
// --------------------------------------------------------------

inline Bytes2 deinterleave(Bytes a, Bytes b) noexcept {
    return {_mm_packus_epi16(low_bytes(a), low_bytes(b)), _mm_packus_epi16(high_bytes(a), high_bytes(b))};
}

inline Bytes2 interleave(Bytes a, Bytes b) noexcept { return {_mm_unpacklo_epi8(a, b), _mm_unpackhi_epi8(a, b)}; }

// The first 24 bytes and the last 24 take turns: place n goes to 2 n mod 47. Four times of it make 16 n, which takes
// 3 n + channel to n + 16 channel.
inline Bytes3 take_turns(const Bytes3& a) noexcept {
    return {_mm_unpacklo_epi8(a.first, _mm_srli_si128(a.second, 8)),
            _mm_unpackhi_epi8(a.first, _mm_slli_si128(a.third, 8)),
            _mm_unpacklo_epi8(a.second, _mm_srli_si128(a.third, 8))};
}

// The other way.
inline Bytes3 part_by_turns(const Bytes3& a) noexcept {
    return {_mm_packus_epi16(low_bytes(a.first), low_bytes(a.second)),
            _mm_packus_epi16(low_bytes(a.third), high_bytes(a.first)),
            _mm_packus_epi16(high_bytes(a.second), high_bytes(a.third))};
}

inline Bytes3 load3(const std::uint8_t* from) noexcept {
    return take_turns(take_turns(take_turns(take_turns({load(from), load(from + 16), load(from + 32)}))));
}

template <bool split = false>
void store3(std::uint8_t* to, const Bytes3& channels) noexcept {
    const Bytes3 together = part_by_turns(part_by_turns(part_by_turns(part_by_turns(channels))));
    store(to, together.first);
    store(to + 16, together.second);
    store(to + 32, together.third);
}

// Three of four channels, the first of which is `begin`.
template <std::size_t begin>
Bytes3 load4(const std::uint8_t* from) noexcept {
    const Bytes2 low = deinterleave(load(from), load(from + 16)), high = deinterleave(load(from + 32), load(from + 48));
    const Bytes2 even = deinterleave(low.first, high.first), odd = deinterleave(low.second, high.second);
    if constexpr (begin == 0)
        return {even.first, odd.first, even.second};
    else
        return {odd.first, even.second, odd.second};
}

template <bool split = false>
void store4(std::uint8_t* to, Bytes a, Bytes b, Bytes c, Bytes d) noexcept {
    const Bytes2 ab = interleave(a, b), cd = interleave(c, d);
    store(to, _mm_unpacklo_epi16(ab.first, cd.first));
    store(to + 16, _mm_unpackhi_epi16(ab.first, cd.first));
    store(to + 32, _mm_unpacklo_epi16(ab.second, cd.second));
    store(to + 48, _mm_unpackhi_epi16(ab.second, cd.second));
}

}  // namespace
}  // namespace spike::SPIKE_ISA
