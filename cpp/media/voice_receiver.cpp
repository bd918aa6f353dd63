#include "media/voice_receiver.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "base/denormals.hpp"
#include "media/redundancy.hpp"

namespace spike {
namespace {

VoiceReceiver::Config checked(const VoiceReceiver::Config& config) {
    if (config.sample_rate_hz < 8000 || config.sample_rate_hz > 48000 || config.sample_rate_hz % 100 != 0)
        throw std::invalid_argument("sample_rate_hz must be from 8000 to 48000 and divisible by 100, not " +
                                    std::to_string(config.sample_rate_hz));
    if (!(config.min_delay_ms >= 0.0 && config.min_delay_ms <= config.max_delay_ms && config.max_delay_ms <= 2000.0))
        throw std::invalid_argument("delays must be 0 <= min_delay_ms <= max_delay_ms <= 2000");
    return config;
}

std::int64_t samples_of(double milliseconds, int rate_hz) {
    return static_cast<std::int64_t>(milliseconds * rate_hz / 1000.0);
}

}  // namespace

VoiceReceiver::VoiceReceiver(const Config& config)
    : config_(checked(config)),
      min_delay_ms_(config.min_delay_ms),
      intake_(config.sample_rate_hz, slots_, decoders_, stats_),
      playout_({config.sample_rate_hz, samples_of(config.min_delay_ms, config.sample_rate_hz),
                samples_of(config.max_delay_ms, config.sample_rate_hz)},
               intake_, slots_, decoders_, stats_) {}

std::optional<std::uint8_t> VoiceReceiver::decoder_for(const VoiceFormat& format) {
    for (std::size_t n = 0; n < formats_; ++n)
        if (decoders_[n]->format() == format) return static_cast<std::uint8_t>(n);
    auto decoder = std::make_unique<VoiceDecoder>(format, config_.sample_rate_hz);
    if (formats_ == decoders_.size()) return std::nullopt;
    // The other thread looks at it only after a packet that names it.
    decoders_[formats_] = std::move(decoder);
    return static_cast<std::uint8_t>(formats_++);
}

void VoiceReceiver::push(const VoicePacket& packet) {
    if (const auto decoder = decoder_for(packet.format)) {
        VoicePacket placed = packet;
        placed.timestamp = begin_of(packet, *decoder);
        store(placed, *decoder, false);
    } else {
        refused_.fetch_add(1, std::memory_order_relaxed);
    }
}

// aiortc gives all the packets that it makes of one frame of a track the timestamp of the first.
std::uint32_t VoiceReceiver::begin_of(const VoicePacket& packet, std::uint8_t decoder) noexcept {
    const bool of_the_same = pushed_ && pushed_->ssrc == packet.ssrc && pushed_->timestamp == packet.timestamp &&
                             static_cast<std::uint16_t>(pushed_->sequence_number + 1) == packet.sequence_number;
    const std::uint32_t begin = of_the_same ? pushed_->end : packet.timestamp;
    const auto ticks = static_cast<std::uint32_t>(decoders_[decoder]->duration_ticks(packet.payload));
    pushed_ = Pushed{packet.ssrc, packet.timestamp, begin + ticks, packet.sequence_number};
    return begin;
}

void VoiceReceiver::push_redundant(const VoicePacket& packet) {
    const auto decoder = decoder_for(packet.format);
    const bool read =
        decoder && split_redundancy(packet.payload, [&](std::uint32_t offset, std::span<const std::uint8_t> block) {
            VoicePacket part = packet;
            part.payload = block;
            part.timestamp -= offset;
            if (!block.empty()) store(part, *decoder, offset > 0);
        });
    if (!read) refused_.fetch_add(1, std::memory_order_relaxed);
}

void VoiceReceiver::store(const VoicePacket& packet, std::uint8_t decoder, bool redundant) noexcept {
    const PacketHeader header{packet.timestamp, packet.ssrc, packet.sequence_number,
                              decoder,          redundant,   generation_.load(std::memory_order_relaxed),
                              packet.arrival_ms};
    if (!slots_.store(header, packet.payload) && !redundant) refused_.fetch_add(1, std::memory_order_relaxed);
}

void VoiceReceiver::pull(std::span<float> out) noexcept {
    const DenormalsOff denormals_off;
    const std::uint32_t generation = generation_.load(std::memory_order_acquire);
    if (generation != pulled_generation_) begin_anew(generation);
    playout_.keep_back(samples_of(min_delay_ms(), config_.sample_rate_hz));
    intake_.take(generation, playout_.played(), playout_.position());
    const std::size_t most = static_cast<std::size_t>(config_.sample_rate_hz) / 100;
    for (auto left = out; !left.empty(); left = left.subspan(std::min(most, left.size())))
        playout_.give(left.first(std::min(most, left.size())));
    meter_.process(out);
    publish(out.size());
}

void VoiceReceiver::set_min_delay_ms(double delay_ms) {
    if (!(delay_ms >= 0.0 && delay_ms <= config_.max_delay_ms))
        throw std::invalid_argument("min_delay_ms must be 0 to " + std::to_string(config_.max_delay_ms) + ", not " +
                                    std::to_string(delay_ms));
    min_delay_ms_.store(delay_ms, std::memory_order_relaxed);
}

std::optional<double> VoiceReceiver::playing_timestamp() const noexcept {
    const VoiceHeard heard = heard_.load();
    if (!heard.begun || heard.pulled_ms <= 0.0f || !was_sent(heard.state)) return std::nullopt;
    const std::chrono::duration<double, std::milli> since = std::chrono::steady_clock::now() - heard.pulled_at;
    const auto ticks = static_cast<double>(heard.playout_timestamp - heard.pulled_timestamp);
    return static_cast<double>(heard.pulled_timestamp) + ticks * std::min(1.0, since.count() / heard.pulled_ms);
}

void VoiceReceiver::begin_anew(std::uint32_t generation) noexcept {
    pulled_generation_ = generation;
    intake_.reset();
    playout_.reset();
    meter_.reset();
    stats_ = {};
    refused_.store(0, std::memory_order_relaxed);
}

void VoiceReceiver::publish(std::size_t pulled) noexcept {
    const double ms = 1000.0 / config_.sample_rate_hz;
    VoiceHeard heard;
    heard.stats = stats_;
    heard.state = playout_.state();
    heard.begun = playout_.begun();
    heard.level = meter_.level();
    heard.level_dbfs = meter_.rms_dbfs();
    heard.pulled_at = std::chrono::steady_clock::now();
    heard.pulled_ms = static_cast<float>(ms * static_cast<double>(pulled));
    heard.stats.packets_discarded += refused_.load(std::memory_order_relaxed);
    if (playout_.begun()) {
        const std::int64_t earliest = intake_.arrivals().earliest();
        heard.stats.delay_ms = ms * static_cast<double>(playout_.delay() - earliest);
        heard.stats.target_delay_ms = ms * static_cast<double>(playout_.target() - earliest);
        const std::int64_t next = playout_.next_position();
        heard.playout_timestamp = intake_.timestamp_at(next).value_or(0);
        heard.pulled_timestamp = intake_.timestamp_at(next - static_cast<std::int64_t>(pulled)).value_or(0);
    }
    heard_.store(heard);
}

}  // namespace spike
