// Words from wherever in a row they lie, as far as one shuffle reaches: a register is made of `pick_groups` groups,
// each of which takes its words from the `pick_span` words after a base of its own.
#pragma once

#include "convert/lanes/lanes.hpp"

namespace spike::SPIKE_ISA {
namespace {

#if defined(__AVX512VBMI__) && !defined(SPIKE_SCALAR)

constexpr std::size_t pick_groups = 1, pick_span = 64;
struct Reach {
    Words low, high;
};
inline std::uint16_t pick_place(std::size_t place) noexcept { return static_cast<std::uint16_t>(place); }
inline Reach reach_from(const std::uint16_t* row, const std::uint32_t* base) noexcept {
    return {load_words(row + base[0]), load_words(row + base[0] + 32)};
}
inline Words pick(const Reach& reach, const std::uint16_t* places) noexcept {
    return _mm512_permutex2var_epi16(reach.low, load_words(places), reach.high);
}

#elif defined(__AVX2__) && !defined(SPIKE_SCALAR)

constexpr std::size_t pick_groups = 2, pick_span = 16;
struct Reach {
    Words low, high;  // of each group
};
// The places of both bytes of a word.
inline std::uint16_t pick_place(std::size_t place) noexcept {
    return static_cast<std::uint16_t>(2 * place | (2 * place + 1) << 8);
}
inline Reach reach_from(const std::uint16_t* row, const std::uint32_t* base) noexcept {
    const auto* first = reinterpret_cast<const std::uint8_t*>(row + base[0]);
    const auto* second = reinterpret_cast<const std::uint8_t*>(row + base[1]);
    return {load_halves(first, second), load_halves(first + 16, second + 16)};
}
inline Words pick(const Reach& reach, const std::uint16_t* places) noexcept {
    const Words at = load_words(places);
    // Places that the top bit marks give zero: those above 15 in the lower 16 bytes, those below in the upper.
    const Words low = _mm256_shuffle_epi8(reach.low, _mm256_add_epi8(at, repeat_byte(0x70)));
    const Words high = _mm256_shuffle_epi8(reach.high, _mm256_sub_epi8(at, repeat_byte(0x10)));
    return _mm256_or_si256(low, high);
}

#elif SPIKE_LANES_ARE_FOR(SPIKE_ISA)

constexpr std::size_t pick_groups = 1, pick_span = 16;
using Reach = uint8x16x2_t;
inline std::uint16_t pick_place(std::size_t place) noexcept {
    return static_cast<std::uint16_t>(2 * place | (2 * place + 1) << 8);
}
inline Reach reach_from(const std::uint16_t* row, const std::uint32_t* base) noexcept {
    const auto* from = reinterpret_cast<const std::uint8_t*>(row + base[0]);
    return {{vld1q_u8(from), vld1q_u8(from + 16)}};
}
inline Words pick(const Reach& reach, const std::uint16_t* places) noexcept {
    return vreinterpretq_u16_u8(vqtbl2q_u8(reach, vreinterpretq_u8_u16(load_words(places))));
}

#else

constexpr std::size_t pick_groups = 1, pick_span = 64;
using Reach = const std::uint16_t*;
inline std::uint16_t pick_place(std::size_t place) noexcept { return static_cast<std::uint16_t>(place); }
inline Reach reach_from(const std::uint16_t* row, const std::uint32_t* base) noexcept { return row + base[0]; }
inline Words pick(Reach reach, const std::uint16_t* places) noexcept {
    return each_word([&](std::size_t n) { return reach[places[n]]; });
}

#endif

}  // namespace
}  // namespace spike::SPIKE_ISA
