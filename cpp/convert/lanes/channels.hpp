// One channel of a step of pixels, for sets that take it apart by the byte: words of even and of odd columns.
#pragma once

namespace spike::SPIKE_ISA {
namespace {

using Channel = Bytes;
using Channels = Bytes3;

// Three channels of `bytes`, from the one that is `begin` on.
template <std::size_t bytes, std::size_t begin>
Channels load_channels(const std::uint8_t* from) noexcept {
    if constexpr (bytes == 3)
        return load3(from);
    else
        return load4<begin>(from);
}

// A channel in the upper halves of two registers of words, and back.
inline Words first_words(const Channel& channel) noexcept { return even_high(channel); }
inline Words second_words(const Channel& channel) noexcept { return odd_high(channel); }
inline void store_words_high(std::uint8_t* to, const Words& first, const Words& second) noexcept {
    store(to, join_high(first, second));
}

// Of two columns in two rows, times 32: as far up as a signed word reaches.
inline Words sums_of_four(const Channel& above, const Channel& below) noexcept {
    return add(pair_sums(above), pair_sums(below));
}

// Four bytes a pixel of which one is opaque.
template <bool opaque_first, bool split>
void store_opaque(std::uint8_t* to, const Bytes3& rgb) noexcept {
    const Bytes opaque = repeat_byte(255);
    if constexpr (opaque_first)
        store4<split>(to, opaque, rgb.first, rgb.second, rgb.third);
    else
        store4<split>(to, rgb.first, rgb.second, rgb.third, opaque);
}

// As many bytes as there are words, around the middle, in the upper halves of signed words.
inline Words load_high_signed(const std::uint8_t* from) noexcept { return flip_sign(load_high(from)); }

}  // namespace
}  // namespace spike::SPIKE_ISA
