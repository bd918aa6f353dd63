// Blocks of samples of any type and layout into blocks of another, with as many channels as are wanted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace spike {

enum class SampleType { int16, int32, float32 };

constexpr std::size_t most_channels = 8;

// `count` samples per channel, `stride` samples apart: 1 where each channel lies by itself, below 0 where they lie
// backwards.
template <typename Void>
struct SampleBlock {
    SampleType type;
    std::size_t count, channels;
    std::ptrdiff_t stride;
    std::array<Void*, most_channels> data{};
};

using SamplesIn = SampleBlock<const void>;
using SamplesOut = SampleBlock<void>;

// Whether a byte of one is a byte of the other. Channels of one interleaved block share none.
bool share_bytes(const SamplesIn& in, const SamplesOut& out) noexcept;

// gains[to][from]: what each channel that leaves takes of each that enters.
struct ChannelMix {
    std::array<std::array<float, most_channels>, most_channels> gains{};
    bool is_copy = true;  // each channel is that of the same number
};

// The channels are those of FFmpeg's default layouts: mono; L R; L R C; L R Ls Rs; L R C Ls Rs; L R C LFE Ls Rs;
// L R C LFE Cs Ls Rs; L R C LFE Lb Rb Ls Rs. A mono source goes to every channel. A channel that the target lacks goes
// to its neighbours by the gains of ITU-R BS.775-4 (0.7071 each; surround to the same side), LFE to nobody; all gains
// are then lowered by one factor, so that the loudest channel has the sum 1 and nothing can clip.
ChannelMix channel_mix(std::size_t from, std::size_t to) noexcept;

// What is out of range saturates, what is no number is silence. With a seed, integers that leave get triangular dither
// of two steps, peak to peak (S. Lipshitz et al., "Quantization and Dither", 1992), the same for the same seed.
void convert_samples(const SamplesIn& in, const SamplesOut& out, std::optional<std::uint32_t> dither_seed) noexcept;

}  // namespace spike
