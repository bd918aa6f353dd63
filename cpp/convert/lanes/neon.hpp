// 16 bytes, or 8 words of 16 bits: NEON of 64-bit ARM.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace spike::SPIKE_ISA {
namespace {

using Bytes = uint8x16_t;
using Words = uint16x8_t;
constexpr std::size_t byte_lanes = 16, word_lanes = 8;
struct Bytes2 {
    Bytes first, second;
};
struct Bytes3 {
    Bytes first, second, third;
};

inline int16x8_t as_signed(Words a) noexcept { return vreinterpretq_s16_u16(a); }
inline Words as_words(int16x8_t a) noexcept { return vreinterpretq_u16_s16(a); }

inline Bytes load(const std::uint8_t* from) noexcept { return vld1q_u8(from); }
inline void store(std::uint8_t* to, Bytes bytes) noexcept { vst1q_u8(to, bytes); }
inline Words load_words(const std::uint16_t* from) noexcept { return vld1q_u16(from); }
inline void store_words(std::uint16_t* to, Words words) noexcept { vst1q_u16(to, words); }
inline Words repeat(std::int32_t word) noexcept { return vdupq_n_u16(static_cast<std::uint16_t>(word)); }
inline Bytes repeat_byte(std::uint8_t byte) noexcept { return vdupq_n_u8(byte); }

inline Words add(Words a, Words b) noexcept { return vaddq_u16(a, b); }
inline Words subtract(Words a, Words b) noexcept { return vsubq_u16(a, b); }
inline Words add_saturated(Words a, Words b) noexcept { return as_words(vqaddq_s16(as_signed(a), as_signed(b))); }
inline Words multiply_high(Words a, Words b) noexcept {
    const uint32x4_t low = vmull_u16(vget_low_u16(a), vget_low_u16(b)), high = vmull_high_u16(a, b);
    return vuzp2q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(high));
}
inline Words multiply_round(Words a, Words b) noexcept { return as_words(vqrdmulhq_s16(as_signed(a), as_signed(b))); }
inline Words flip_sign(Words a) noexcept { return veorq_u16(a, repeat(0x8000)); }
template <int bits>
Words shift_right(Words a) noexcept {
    return vshrq_n_u16(a, bits);
}

inline Words even_high(Bytes a) noexcept { return vshlq_n_u16(vreinterpretq_u16_u8(a), 8); }
inline Words odd_high(Bytes a) noexcept { return vandq_u16(vreinterpretq_u16_u8(a), repeat(0xff00)); }
inline Bytes join_high(Words even, Words odd) noexcept {
    return vtrn2q_u8(vreinterpretq_u8_u16(even), vreinterpretq_u8_u16(odd));
}
template <int bits>
uint8x8_t saturated(Words a) noexcept {
    if constexpr (bits == 0)
        return vqmovun_s16(as_signed(a));
    else
        return vqshrun_n_s16(as_signed(a), bits);
}
template <int bits>
Bytes join_split(Words even, Words odd) noexcept {
    const uint8x8x2_t both = vzip_u8(saturated<bits>(even), saturated<bits>(odd));
    return vcombine_u8(both.val[0], both.val[1]);
}
inline Words load_high(const std::uint8_t* from) noexcept { return vshll_n_u8(vld1_u8(from), 8); }
template <int bits>
void store_saturated(std::uint8_t* to, Words words) noexcept {
    vst1_u8(to, saturated<bits>(words));
}
template <int bits>
void store_both(std::uint8_t* to_a, Words a, std::uint8_t* to_b, Words b) noexcept {
    store_saturated<bits>(to_a, a);
    store_saturated<bits>(to_b, b);
}
inline void store_high(std::uint8_t* to, Words words) noexcept { vst1_u8(to, vshrn_n_u16(words, 8)); }
inline Words pair_sums(Bytes a) noexcept { return vshlq_n_u16(vpaddlq_u8(a), 5); }
inline Bytes average(Bytes a, Bytes b) noexcept { return vrhaddq_u8(a, b); }

inline Bytes2 deinterleave(Bytes a, Bytes b) noexcept { return {vuzp1q_u8(a, b), vuzp2q_u8(a, b)}; }
inline Bytes2 interleave(Bytes a, Bytes b) noexcept { return {vzip1q_u8(a, b), vzip2q_u8(a, b)}; }

inline Bytes3 load3(const std::uint8_t* from) noexcept {
    const uint8x16x3_t a = vld3q_u8(from);
    return {a.val[0], a.val[1], a.val[2]};
}
// Three of four channels, the first of which is `begin`.
template <std::size_t begin>
Bytes3 load4(const std::uint8_t* from) noexcept {
    const uint8x16x4_t a = vld4q_u8(from);
    return {a.val[begin], a.val[begin + 1], a.val[begin + 2]};
}
template <bool split = false>
void store3(std::uint8_t* to, const Bytes3& a) noexcept {
    vst3q_u8(to, {{a.first, a.second, a.third}});
}
template <bool split = false>
void store4(std::uint8_t* to, Bytes a, Bytes b, Bytes c, Bytes d) noexcept {
    vst4q_u8(to, {{a, b, c, d}});
}

}  // namespace
}  // namespace spike::SPIKE_ISA
