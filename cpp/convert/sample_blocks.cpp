#include "convert/sample_blocks.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "convert/overlap.hpp"
#include "convert/samples.hpp"

namespace spike {
namespace {

enum Speaker : std::size_t {
    left,
    right,
    centre,
    low,
    back_centre,
    back_left,
    back_right,
    side_left,
    side_right,
    nowhere
};

constexpr std::size_t speaker_count = nowhere;

std::span<const Speaker> layout_of(std::size_t channels) noexcept {
    static constexpr Speaker mono[] = {centre};
    static constexpr Speaker quad[] = {left, right, side_left, side_right};
    static constexpr Speaker five[] = {left, right, centre, side_left, side_right};
    static constexpr Speaker six[] = {left, right, centre, low, side_left, side_right};
    static constexpr Speaker seven[] = {left, right, centre, low, back_centre, side_left, side_right};
    static constexpr Speaker eight[] = {left, right, centre, low, back_left, back_right, side_left, side_right};
    switch (channels) {
        case 1: return mono;
        case 4: return quad;
        case 5: return five;
        case 6: return six;
        case 7: return seven;
        case 8: return eight;
        default: return std::span<const Speaker>(five).first(channels);
    }
}

constexpr float half_power = 0.70710678f;

// Where a speaker's signal goes that the target does not have, one step nearer to the front.
struct Substitute {
    Speaker first, second;
    float gain;
};

constexpr Substitute substitute_of(Speaker speaker) noexcept {
    switch (speaker) {
        case left:
        case right: return {centre, nowhere, half_power};
        case centre: return {left, right, half_power};
        case back_centre: return {side_left, side_right, half_power};
        case back_left: return {side_left, nowhere, 1.0f};
        case back_right: return {side_right, nowhere, 1.0f};
        case side_left: return {left, nowhere, half_power};
        case side_right: return {right, nowhere, half_power};
        default: return {nowhere, nowhere, 0.0f};
    }
}

void send(Speaker speaker, float gain, std::size_t from, std::span<const Speaker> target, ChannelMix& mix) noexcept {
    if (speaker == nowhere) return;
    const auto at = std::find(target.begin(), target.end(), speaker);
    if (at != target.end()) {
        mix.gains[static_cast<std::size_t>(at - target.begin())][from] += gain;
        return;
    }
    const auto [first, second, share] = substitute_of(speaker);
    send(first, gain * share, from, target, mix);
    send(second, gain * share, from, target, mix);
}

void normalise(ChannelMix& mix) noexcept {
    float loudest = 1.0f;
    for (const auto& row : mix.gains) {
        float sum = 0.0f;
        for (const float gain : row) sum += gain;
        loudest = std::max(loudest, sum);
    }
    for (auto& row : mix.gains)
        for (float& gain : row) gain /= loudest;
}

// Two uniform numbers of a step each (xorshift of G. Marsaglia, 2003), so that their sum is a triangle.
class Dither {
  public:
    explicit Dither(std::uint32_t seed) noexcept : state_(seed * 2654435761u + 1u) {}
    float next() noexcept { return uniform() + uniform(); }

  private:
    float uniform() noexcept {
        state_ = state_ ? state_ : 1u;
        state_ ^= state_ << 13;
        state_ ^= state_ >> 17;
        state_ ^= state_ << 5;
        return static_cast<float>(state_ >> 8) * 0x1p-24f - 0.5f;
    }
    std::uint32_t state_;
};

constexpr std::size_t part_samples = 256;  // at a time, so that what lies between stays in the cache

std::ptrdiff_t offset(std::size_t n, std::ptrdiff_t stride) noexcept { return static_cast<std::ptrdiff_t>(n) * stride; }

template <typename From>
void read(const From* from, std::ptrdiff_t stride, float* out, std::size_t count) noexcept {
    if (stride == 1)
        for (std::size_t n = 0; n < count; ++n) out[n] = to_float(from[n]);
    else if (stride == 2)
        for (std::size_t n = 0; n < count; ++n) out[n] = to_float(from[2 * n]);
    else
        for (std::size_t n = 0; n < count; ++n) out[n] = to_float(from[offset(n, stride)]);
}

template <typename To>
void write(const float* in, To* to, std::ptrdiff_t stride, std::size_t count) noexcept {
    if (stride == 1)
        for (std::size_t n = 0; n < count; ++n) to[n] = from_float<To>(in[n]);
    else if (stride == 2)
        for (std::size_t n = 0; n < count; ++n) to[2 * n] = from_float<To>(in[n]);
    else
        for (std::size_t n = 0; n < count; ++n) to[offset(n, stride)] = from_float<To>(in[n]);
}

template <typename Visit>
void with_type(SampleType type, Visit visit) noexcept {
    switch (type) {
        case SampleType::int16: visit(std::int16_t{}); return;
        case SampleType::int32: visit(std::int32_t{}); return;
        case SampleType::float32: visit(float{}); return;
    }
}

void read_part(const SamplesIn& in, std::size_t channel, std::size_t at, float* out, std::size_t count) noexcept {
    with_type(in.type, [&](auto sample) {
        using From = decltype(sample);
        read(static_cast<const From*>(in.data[channel]) + offset(at, in.stride), in.stride, out, count);
    });
}

void write_part(const float* in, const SamplesOut& out, std::size_t channel, std::size_t at,
                std::size_t count) noexcept {
    with_type(out.type, [&](auto sample) {
        using To = decltype(sample);
        write(in, static_cast<To*>(out.data[channel]) + offset(at, out.stride), out.stride, count);
    });
}

// Samples of one type need not become floats on their way, which would cost 32-bit integers their last bits.
void copy(const SamplesIn& in, const SamplesOut& out) noexcept {
    with_type(in.type, [&](auto sample) {
        using Sample = decltype(sample);
        for (std::size_t channel = 0; channel < in.channels; ++channel) {
            const auto* from = static_cast<const Sample*>(in.data[channel]);
            auto* to = static_cast<Sample*>(out.data[channel]);
            if (in.stride == 1 && out.stride == 1)
                std::memcpy(to, from, in.count * sizeof(Sample));
            else
                for (std::size_t n = 0; n < in.count; ++n) to[offset(n, out.stride)] = from[offset(n, in.stride)];
        }
    });
}

template <typename Void>
Pieces samples_of(const SampleBlock<Void>& block, std::size_t channel) noexcept {
    const std::size_t bytes = block.type == SampleType::int16 ? 2 : 4;
    return {block.data[channel], block.stride * static_cast<std::ptrdiff_t>(bytes), block.count, bytes};
}

}  // namespace

bool share_bytes(const SamplesIn& in, const SamplesOut& out) noexcept {
    for (std::size_t from = 0; from < in.channels; ++from)
        for (std::size_t to = 0; to < out.channels; ++to)
            if (share_bytes(samples_of(in, from), samples_of(out, to))) return true;
    return false;
}

ChannelMix channel_mix(std::size_t from, std::size_t to) noexcept {
    ChannelMix mix;
    mix.is_copy = from == to;
    const auto source = layout_of(from), target = layout_of(to);
    for (std::size_t channel = 0; channel < from; ++channel) {
        if (from == to)
            mix.gains[channel][channel] = 1.0f;
        else if (from == 1)
            for (std::size_t each = 0; each < to; ++each) mix.gains[each][0] = 1.0f;
        else
            send(source[channel], 1.0f, channel, target, mix);
    }
    normalise(mix);
    return mix;
}

void convert_samples(const SamplesIn& in, const SamplesOut& out, std::optional<std::uint32_t> dither_seed) noexcept {
    const ChannelMix mix = channel_mix(in.channels, out.channels);
    const bool dithers = dither_seed && out.type != SampleType::float32 && (in.type != out.type || !mix.is_copy);
    if (mix.is_copy && in.type == out.type && in.type != SampleType::float32) {
        copy(in, out);
        return;
    }
    Dither dither(dither_seed.value_or(0));
    const float step = out.type == SampleType::int16 ? 0x1p-15f : 0x1p-31f;
    float parts[most_channels][part_samples], mixed[part_samples];
    for (std::size_t at = 0; at < in.count; at += part_samples) {
        const std::size_t count = std::min(part_samples, in.count - at);
        for (std::size_t channel = 0; channel < in.channels; ++channel)
            read_part(in, channel, at, parts[channel], count);
        for (std::size_t channel = 0; channel < out.channels; ++channel) {
            const float* made = parts[channel % in.channels];
            if (!mix.is_copy || dithers) {
                std::fill_n(mixed, count, 0.0f);
                for (std::size_t from = 0; from < in.channels; ++from) {
                    const float gain = mix.gains[channel][from];
                    if (gain == 0.0f) continue;
                    for (std::size_t n = 0; n < count; ++n) mixed[n] += gain * parts[from][n];
                }
                made = mixed;
            }
            if (dithers)
                for (std::size_t n = 0; n < count; ++n) mixed[n] += step * dither.next();
            write_part(made, out, channel, at, count);
        }
    }
}

}  // namespace spike
