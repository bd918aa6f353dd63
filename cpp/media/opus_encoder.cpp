#include "media/opus_encoder.hpp"

#include <opus.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

namespace spike {
namespace {

int opus_application(VoiceEncoder::Application application) {
    switch (application) {
        case VoiceEncoder::Application::voip: return OPUS_APPLICATION_VOIP;
        case VoiceEncoder::Application::audio: return OPUS_APPLICATION_AUDIO;
        case VoiceEncoder::Application::lowdelay: return OPUS_APPLICATION_RESTRICTED_LOWDELAY;
    }
    return OPUS_APPLICATION_VOIP;
}

void check(const VoiceEncoder::Config& config) {
    constexpr std::array rates{8000, 12000, 16000, 24000, 48000};
    if (std::find(rates.begin(), rates.end(), config.sample_rate_hz) == rates.end())
        throw std::invalid_argument("sample_rate_hz must be 8000, 12000, 16000, 24000 or 48000, not " +
                                    std::to_string(config.sample_rate_hz));
    if (config.channels != 1 && config.channels != 2)
        throw std::invalid_argument("channels must be 1 or 2, not " + std::to_string(config.channels));
}

void check(const VoiceEncoder::Settings& settings) {
    if (settings.bitrate_bps < 6000 || settings.bitrate_bps > 510000)
        throw std::invalid_argument("bitrate_bps must be 6000 to 510000, not " + std::to_string(settings.bitrate_bps));
    if (!(settings.expected_loss >= 0.0 && settings.expected_loss <= 1.0))
        throw std::invalid_argument("expected_loss must be 0 to 1, not " + std::to_string(settings.expected_loss));
    if (settings.complexity < 0 || settings.complexity > 10)
        throw std::invalid_argument("complexity must be 0 to 10, not " + std::to_string(settings.complexity));
}

}  // namespace

void VoiceEncoder::Destroy::operator()(::OpusEncoder* encoder) const noexcept { opus_encoder_destroy(encoder); }

VoiceEncoder::VoiceEncoder(const Config& config, const Settings& settings) : config_(config), settings_(settings) {
    check(config);
    check(settings);
    int error = OPUS_OK;
    encoder_.reset(
        opus_encoder_create(config.sample_rate_hz, config.channels, opus_application(config.application), &error));
    if (error != OPUS_OK) throw std::bad_alloc();
    opus_encoder_ctl(encoder_.get(),
                     OPUS_SET_SIGNAL(config.application == Application::voip ? OPUS_SIGNAL_VOICE : OPUS_AUTO));
    opus_int32 latency = 0;
    opus_encoder_ctl(encoder_.get(), OPUS_GET_LOOKAHEAD(&latency));
    latency_samples_ = static_cast<std::size_t>(latency);
    apply();
}

void VoiceEncoder::use(const Settings& settings) {
    if (settings == settings_) return;
    check(settings);
    settings_ = settings;
    apply();
}

void VoiceEncoder::apply() noexcept {
    ::OpusEncoder* const encoder = encoder_.get();
    opus_encoder_ctl(encoder, OPUS_SET_BITRATE(settings_.bitrate_bps));
    opus_encoder_ctl(encoder, OPUS_SET_INBAND_FEC(settings_.fec ? 1 : 0));
    opus_encoder_ctl(encoder,
                     OPUS_SET_PACKET_LOSS_PERC(static_cast<int>(std::lround(100.0 * settings_.expected_loss))));
    opus_encoder_ctl(encoder, OPUS_SET_DTX(settings_.dtx ? 1 : 0));
    opus_encoder_ctl(encoder, OPUS_SET_COMPLEXITY(settings_.complexity));
}

bool VoiceEncoder::takes(std::size_t frame_samples) const noexcept {
    const std::size_t shortest = static_cast<std::size_t>(config_.sample_rate_hz) / 400;  // 2.5 ms
    constexpr std::array<std::size_t, 6> multiples{1, 2, 4, 8, 16, 24};
    return std::any_of(multiples.begin(), multiples.end(),
                       [&](std::size_t multiple) { return frame_samples == multiple * shortest; });
}

std::size_t VoiceEncoder::encode(std::span<const float> samples, std::span<std::uint8_t> packet) noexcept {
    const int frame = static_cast<int>(samples.size()) / config_.channels;
    const int bytes =
        opus_encode_float(encoder_.get(), samples.data(), frame, packet.data(), static_cast<int>(packet.size()));
    return bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

std::size_t VoiceEncoder::encode(std::span<const std::int16_t> samples, std::span<std::uint8_t> packet) noexcept {
    const int frame = static_cast<int>(samples.size()) / config_.channels;
    const int bytes =
        opus_encode(encoder_.get(), samples.data(), frame, packet.data(), static_cast<int>(packet.size()));
    return bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

void VoiceEncoder::reset() noexcept {
    opus_encoder_ctl(encoder_.get(), OPUS_RESET_STATE);
    apply();
}

}  // namespace spike
