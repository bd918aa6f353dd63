#include "media/packet_intake.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace spike {
namespace {

constexpr std::int64_t nothing = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t longest_jump_s = 5;    // of timestamps against the time that has passed
constexpr std::int64_t most_dropouts = 3000;  // sequence numbers
constexpr std::uint16_t most_misordered = 100;

}  // namespace

PacketIntake::PacketIntake(int sample_rate_hz, PacketSlots& slots, const DecoderBank& decoders,
                           ReceiverStats& stats) noexcept
    : slots_(&slots), decoders_(&decoders), stats_(&stats), arrivals_(sample_rate_hz), sample_rate_hz_(sample_rate_hz) {
    reset();
}

void PacketIntake::take(std::uint32_t generation, std::int64_t played, std::int64_t position) noexcept {
    while (const auto slot = slots_->take()) {
        if (slots_->header(*slot).generation == generation)
            take_one(*slot, {played, position});
        else
            slots_->release(*slot);
    }
}

void PacketIntake::take_one(std::uint16_t slot, const Moment& now) noexcept {
    const PacketHeader& header = slots_->header(slot);
    const VoiceDecoder& codec = decoder(header);
    if (slots_->payload(slot).empty()) {
        take_empty(header, now);
        slots_->release(slot);
    } else if (codec.duration_ticks(slots_->payload(slot)) == 0) {
        ++stats_->decode_errors;
        slots_->release(slot);
    } else if (begun_ && follows(header, codec.format().clock_rate_hz, now)) {
        accept(slot, now);
    } else if (header.redundant) {
        slots_->release(slot);
    } else if (!begun_) {
        begin(header, now);
        accept(slot, now);
    } else {
        doubt(slot, now);
    }
}

bool PacketIntake::follows(const PacketHeader& header, int clock_rate_hz, const Moment& now) const noexcept {
    if (header.ssrc != ssrc_ || clock_rate_hz != timeline_.clock_rate_hz()) return false;
    const std::int64_t lateness = now.played - timeline_.peek_time(header.timestamp) - arrivals_.earliest();
    if (std::abs(lateness) > longest_jump_s * sample_rate_hz_) return false;
    return header.redundant ||
           (std::abs(timeline_.peek_sequence(header.sequence_number) - newest_) < most_dropouts && in_order(header));
}

// A sender whose timestamps go back while its numbers go on, or the other way round, began anew.
bool PacketIntake::in_order(const PacketHeader& header) const noexcept {
    const std::int64_t steps = timeline_.peek_sequence(header.sequence_number) - newest_;
    const std::int64_t samples = timeline_.peek_time(header.timestamp) - newest_begin_;
    return (steps >= 0 || samples <= 0) && (steps <= 0 || samples >= 0);
}

// A packet that holds nothing keeps a way open: it was sent, and there is no sound in it.
void PacketIntake::take_empty(const PacketHeader& header, const Moment& now) noexcept {
    if (!begun_ || header.redundant || !follows(header, decoder(header).format().clock_rate_hz, now)) return;
    count(header, timeline_.peek_sequence(header.sequence_number));
}

bool PacketIntake::all_came(std::int64_t first, std::int64_t end) const noexcept {
    if (end < first || end - first > static_cast<std::int64_t>(seen_.size())) return false;
    for (std::int64_t number = first; number < end; ++number)
        if (!seen(number)) return false;
    return true;
}

void PacketIntake::doubt(std::uint16_t slot, const Moment& now) noexcept {
    const PacketHeader& header = slots_->header(slot);
    const int clock_rate_hz = decoder(header).format().clock_rate_hz;
    if (doubtful_) {
        const std::uint16_t first = *doubtful_;
        const PacketHeader& before = slots_->header(first);
        const auto steps = static_cast<std::uint16_t>(header.sequence_number - before.sequence_number);
        const auto ticks = static_cast<std::int32_t>(header.timestamp - before.timestamp);
        if (before.ssrc == header.ssrc && decoder(before).format().clock_rate_hz == clock_rate_hz && steps > 0 &&
            steps < most_misordered && ticks > 0 && ticks < longest_jump_s * clock_rate_hz) {
            begin(before, now);
            accept(first, now);
            accept(slot, now);
            doubtful_.reset();
            return;
        }
        slots_->release(first);
        ++stats_->packets_discarded;
    }
    doubtful_ = slot;
}

void PacketIntake::begin(const PacketHeader& header, const Moment& now) noexcept {
    // As soon as the quickest packets came before, and behind all that is still to be played.
    std::int64_t time = arrivals_.empty() ? now.played : now.played - arrivals_.earliest();
    if (begun_) time = std::max(time, now.position);
    if (!waiting_.empty()) time = std::max(time, waiting_.back().end);
    lost_before_ = stats_->packets_lost;
    timeline_ = MediaTimeline(header.sequence_number, header.timestamp, decoder(header).format().clock_rate_hz,
                              sample_rate_hz_, time);
    ssrc_ = header.ssrc;
    first_ = newest_ = header.sequence_number;
    newest_begin_ = timeline_.peek_time(header.timestamp);
    received_ = 0;
    begun_ = true;
    measured_ = false;
    seen_.fill(nothing);
    held_.fill(nothing);
}

void PacketIntake::accept(std::uint16_t slot, const Moment& now) noexcept {
    const PacketHeader& header = slots_->header(slot);
    const std::int64_t sequence_number = timeline_.peek_sequence(header.sequence_number);
    if (!header.redundant && !count(header, sequence_number)) return slots_->release(slot);
    const std::int64_t begin =
        header.redundant ? timeline_.peek_time(header.timestamp) : timeline_.time(header.timestamp);
    const auto ticks = static_cast<std::int64_t>(decoder(header).duration_ticks(slots_->payload(slot)));
    keep({begin, begin + timeline_.samples(ticks), sequence_number, slot, header.redundant}, now);
}

// False for a packet that had come before.
bool PacketIntake::count(const PacketHeader& header, std::int64_t sequence_number) noexcept {
    if (seen(sequence_number)) {
        ++stats_->packets_duplicate;
        return false;
    }
    seen_[static_cast<std::uint64_t>(sequence_number) % seen_.size()] = sequence_number;
    timeline_.sequence(header.sequence_number);
    first_ = std::min(first_, sequence_number);
    if (sequence_number >= newest_) {
        newest_ = sequence_number;
        newest_begin_ = timeline_.peek_time(header.timestamp);
    }
    ++received_;
    ++stats_->packets_received;
    stats_->packets_lost = lost_before_ + std::max<std::int64_t>(0, newest_ - first_ + 1 - received_);
    measure_jitter(header);
    return true;
}

void PacketIntake::keep(WaitingPacket packet, const Moment& now) noexcept {
    const bool new_sound = !held(packet.begin);
    if (packet.redundant && !new_sound) return slots_->release(packet.slot);
    if (new_sound) {
        arrivals_.add(now.played, packet.begin, static_cast<std::size_t>(packet.end - packet.begin), packet.redundant);
        held_[next_held_++ % held_.size()] = packet.begin;
    }
    if (!packet.redundant) {
        const std::size_t ticks = decoder(slots_->header(packet.slot)).previous_ticks(slots_->payload(packet.slot));
        const std::int64_t before = packet.begin - timeline_.samples(static_cast<std::int64_t>(ticks));
        if (ticks > 0 && packet.sequence_number > first_ && !seen(packet.sequence_number - 1) && !held(before))
            arrivals_.add(now.played, before, static_cast<std::size_t>(packet.end - packet.begin), true);
    }
    if (packet.end <= now.position) {
        if (!packet.redundant) ++stats_->packets_late;
        return slots_->release(packet.slot);
    }
    if (const auto out = waiting_.insert(packet)) {
        if (!out->redundant) ++stats_->packets_discarded;
        slots_->release(out->slot);
    }
}

bool PacketIntake::held(std::int64_t begin) const noexcept { return std::ranges::find(held_, begin) != held_.end(); }

void PacketIntake::measure_jitter(const PacketHeader& header) noexcept {
    if (!std::isfinite(header.arrival_ms)) return;
    const double sent_ms = 1000.0 * static_cast<double>(timeline_.timestamp_at(timeline_.peek_time(header.timestamp))) /
                           timeline_.clock_rate_hz();
    const double transit_ms = header.arrival_ms - sent_ms;
    if (measured_) stats_->jitter_ms += (std::abs(transit_ms - transit_ms_) - stats_->jitter_ms) / 16.0;
    transit_ms_ = transit_ms;
    measured_ = true;
}

std::optional<std::int64_t> PacketIntake::timestamp_at(std::int64_t position) const noexcept {
    return begun_ ? std::optional(timeline_.timestamp_at(position)) : std::nullopt;
}

void PacketIntake::reset() noexcept {
    while (!waiting_.empty()) discard_front();
    if (doubtful_) slots_->release(*doubtful_);
    doubtful_.reset();
    begun_ = false;
    arrivals_.reset();
    seen_.fill(nothing);
    held_.fill(nothing);
}

}  // namespace spike
