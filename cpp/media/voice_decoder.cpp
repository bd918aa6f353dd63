#include "media/voice_decoder.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

namespace spike {
namespace {

constexpr std::size_t steps_per_s = 100;
constexpr std::array opus_rates_hz{8000, 12000, 16000, 24000, 48000};

// ITU-T G.711: a logarithmic sample is sign, exponent and mantissa.
float from_mu_law(std::uint8_t code) noexcept {
    const unsigned inverted = static_cast<std::uint8_t>(~code);
    const int magnitude = static_cast<int>((((inverted & 0x0fu) << 3) + 0x84u) << ((inverted & 0x70u) >> 4)) - 0x84;
    return static_cast<float>((inverted & 0x80u) != 0 ? -magnitude : magnitude) / 32768.0f;
}

float from_a_law(std::uint8_t code) noexcept {
    const unsigned toggled = code ^ 0x55u;
    const unsigned exponent = (toggled & 0x70u) >> 4;
    const unsigned mantissa = (toggled & 0x0fu) << 4;
    const auto magnitude = static_cast<int>(exponent == 0 ? mantissa + 8u : (mantissa + 0x108u) << (exponent - 1u));
    return static_cast<float>((toggled & 0x80u) != 0 ? magnitude : -magnitude) / 32768.0f;
}

template <float (*Decode)(std::uint8_t) noexcept>
const std::array<float, 256>& table() {
    static const auto values = [] {
        std::array<float, 256> made{};
        for (std::size_t code = 0; code < made.size(); ++code) made[code] = Decode(static_cast<std::uint8_t>(code));
        return made;
    }();
    return values;
}

float from_l16(const std::uint8_t* bytes) noexcept {
    return static_cast<float>(static_cast<std::int16_t>((bytes[0] << 8) | bytes[1])) / 32768.0f;
}

}  // namespace

VoiceDecoder::VoiceDecoder(const VoiceFormat& format, int output_rate_hz)
    : format_(format),
      step_(static_cast<std::size_t>(output_rate_hz) / steps_per_s),
      longest_(static_cast<std::size_t>(output_rate_hz) * longest_packet_ms / 1000 + 1) {
    if (format.clock_rate_hz < 8000 || format.clock_rate_hz > 48000)
        throw std::invalid_argument("clock_rate_hz must be from 8000 to 48000, not " +
                                    std::to_string(format.clock_rate_hz));
    if (format.channels < 1 || format.channels > 2)
        throw std::invalid_argument("channels must be 1 or 2, not " + std::to_string(format.channels));
    int native_hz = format.clock_rate_hz;
    if (format.codec == VoiceCodec::opus) {
        if (native_hz != OpusVoiceDecoder::clock_rate_hz)
            throw std::invalid_argument("the clock_rate_hz of Opus is 48000, not " + std::to_string(native_hz));
        if (std::ranges::find(opus_rates_hz, output_rate_hz) != opus_rates_hz.end()) native_hz = output_rate_hz;
        opus_.emplace(native_hz);
    }
    if (format.codec == VoiceCodec::noise) noise_.emplace();
    // Made now: a table that is made at its first use would take memory and a lock.
    table<from_mu_law>();
    table<from_a_law>();
    if (native_hz == output_rate_hz && opus_) return;
    native_.resize(static_cast<std::size_t>(native_hz) * longest_packet_ms / 1000);
    if (native_hz != output_rate_hz)
        resampler_.emplace(Resampler::Config{.from_hz = native_hz, .to_hz = output_rate_hz});
}

std::size_t VoiceDecoder::duration_ticks(std::span<const std::uint8_t> payload) const noexcept {
    if (opus_) return OpusVoiceDecoder::duration(payload);
    // It says nothing of how long it lasts.
    if (noise_) return payload.empty() ? 0 : static_cast<std::size_t>(format_.clock_rate_hz) / steps_per_s;
    const std::size_t sample_bytes =
        static_cast<std::size_t>(format_.channels) * (format_.codec == VoiceCodec::l16 ? 2 : 1);
    const std::size_t ticks = payload.size() / sample_bytes;
    return ticks * 1000 > static_cast<std::size_t>(format_.clock_rate_hz) * longest_packet_ms ? 0 : ticks;
}

// To `native_`, mono.
std::size_t VoiceDecoder::expand(std::span<const std::uint8_t> payload) noexcept {
    const std::size_t ticks = duration_ticks(payload);
    const auto channels = static_cast<std::size_t>(format_.channels);
    const float share = 1.0f / static_cast<float>(channels);
    const auto& law = format_.codec == VoiceCodec::pcmu ? table<from_mu_law>() : table<from_a_law>();
    for (std::size_t n = 0; n < ticks; ++n) {
        float sum = 0.0f;
        for (std::size_t at = n * channels; at < (n + 1) * channels; ++at)
            sum += format_.codec == VoiceCodec::l16 ? from_l16(payload.data() + 2 * at) : law[payload[at]];
        native_[n] = share * sum;
    }
    return ticks;
}

// The same of noise.
std::size_t VoiceDecoder::describe(NoiseDecoder& noise, std::span<const std::uint8_t> payload) noexcept {
    noise.describe(payload);
    const std::size_t ticks = duration_ticks(payload);
    noise.fill(std::span(native_).first(ticks));
    return ticks;
}

std::size_t VoiceDecoder::resample(std::size_t count, std::span<float> out) noexcept {
    if (!resampler_) {
        std::copy_n(native_.begin(), count, out.begin());
        return count;
    }
    return resampler_->process<float>({native_.data()}, count, {out.data()});
}

std::size_t VoiceDecoder::decode(std::span<const std::uint8_t> payload, std::span<float> out) noexcept {
    if (opus_ && native_.empty()) return opus_->decode(payload, out);
    return resample(opus_    ? opus_->decode(payload, native_)
                    : noise_ ? describe(*noise_, payload)
                             : expand(payload),
                    out);
}

std::size_t VoiceDecoder::decode_previous(std::span<const std::uint8_t> payload, std::span<float> out) noexcept {
    if (!opus_) return 0;
    return native_.empty() ? opus_->decode_repeated(payload, out)
                           : resample(opus_->decode_repeated(payload, native_), out);
}

std::size_t VoiceDecoder::previous_ticks(std::span<const std::uint8_t> payload) const noexcept {
    return opus_ ? OpusVoiceDecoder::repeated(payload) : 0;
}

bool VoiceDecoder::begins_silence(std::span<const std::uint8_t> payload) const noexcept {
    return noise_ || (opus_ && payload.size() <= 2);
}

std::size_t VoiceDecoder::least_concealed(std::size_t samples) const noexcept {
    if (!conceals()) return samples;
    if (!opus_ || !native_.empty()) return step_;
    const auto quantum = static_cast<std::size_t>(opus_->rate_hz()) / (4 * steps_per_s);  // 2.5 ms
    return (samples + quantum - 1) / quantum * quantum;
}

std::size_t VoiceDecoder::conceal(std::span<float> out) noexcept {
    if (opus_ && native_.empty()) return opus_->conceal(out);
    const int native_hz = opus_ ? opus_->rate_hz() : format_.clock_rate_hz;
    const auto step = std::span(native_).first(static_cast<std::size_t>(native_hz) / steps_per_s);
    if (opus_) return resample(opus_->conceal(step), out);
    if (!noise_) return 0;
    noise_->fill(step);
    return resample(step.size(), out);
}

void VoiceDecoder::save() noexcept {
    if (opus_) opus_->save();
}

void VoiceDecoder::restore() noexcept {
    if (opus_) opus_->restore();
}

void VoiceDecoder::reset() noexcept {
    if (opus_) opus_->reset();
    if (noise_) noise_->reset();
    if (resampler_) resampler_->reset();
}

}  // namespace spike
