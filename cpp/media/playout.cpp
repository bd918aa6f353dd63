#include "media/playout.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace spike {
namespace {

constexpr std::int64_t longest_history_ms = 60;
constexpr std::int64_t tolerance_ms = 2;      // between timestamps and what was decoded
constexpr std::int64_t aligned_ms = 10;       // of delay that is not worth losing the concealment's thread for
constexpr std::int64_t most_excess_ms = 500;  // of delay that is made up for by hurrying

}  // namespace

Playout::Playout(const Config& config, PacketIntake& intake, PacketSlots& slots, const DecoderBank& decoders,
                 ReceiverStats& stats)
    : config_(config),
      intake_(&intake),
      slots_(&slots),
      decoders_(&decoders),
      stats_(&stats),
      step_(static_cast<std::size_t>(config.sample_rate_hz) / 100),
      splice_(config.sample_rate_hz),
      stretch_(config.sample_rate_hz),
      concealer_(config.sample_rate_hz),
      line_(step_ * longest_history_ms / 10, step_ * (VoiceDecoder::longest_packet_ms / 10 + 6)),
      decoded_(step_ * VoiceDecoder::longest_packet_ms / 10 + 1),
      tail_(2 * step_) {}

VoiceDecoder& Playout::decoder_of(const WaitingPacket& packet) const noexcept {
    return *(*decoders_)[slots_->header(packet.slot).decoder];
}

std::int64_t Playout::target() const noexcept {
    const ArrivalStatistics& arrivals = intake_->arrivals();
    return std::clamp(arrivals.target(), arrivals.earliest() + config_.min_delay,
                      arrivals.earliest() + config_.max_delay);
}

void Playout::give(std::span<float> out) noexcept {
    while (line_.waiting() < out.size() || gathers()) produce();
    line_.take(out);
}

// Packets that are too short to leave out a period of the pitch are decoded together where there is one too many.
bool Playout::gathers() const noexcept {
    const PacketBuffer& waiting = intake_->waiting();
    return fresh_ > 0 && fresh_ < step_ && delay() - needed() > static_cast<std::int64_t>(packet_) &&
           !waiting.empty() && waiting.front().begin == position_;
}

std::int64_t Playout::needed() const noexcept { return std::max(target(), intake_->arrivals().latest()); }

void Playout::produce() noexcept {
    discard_late();
    PacketBuffer& waiting = intake_->waiting();
    if (waiting.empty()) return wait();
    if (pausing_) {
        const std::int64_t due = waiting.front().begin + target() - produced_;
        if (due > 0) return rest(due);
        pausing_ = silent_ = false;
        begun_ = true;
        waited_ = 0;
        position_ = waiting.front().begin;
        last_sequence_ = waiting.front().sequence_number - 1;
    }
    drop_excess();
    const WaitingPacket next = waiting.front();
    const auto ticks = static_cast<std::int64_t>(decoder_of(next).previous_ticks(slots_->payload(next.slot)));
    const std::int64_t tolerance = tolerance_ms * config_.sample_rate_hz / 1000;
    std::int64_t resume = next.begin - ticks * config_.sample_rate_hz / decoder_of(next).format().clock_rate_hz;
    // What the packet repeats comes too late, or was concealed meanwhile without a need to be heard later.
    const std::int64_t given_up = std::max<std::int64_t>(0, resume - position_);
    if (resume < position_ - tolerance ||
        (waited_ > given_up && delay() - given_up - target() >= (next.begin - resume) / 2))
        resume = next.begin;
    if (resume > position_ + tolerance && bridge(next, resume)) return;
    play(next, resume);
}

void Playout::discard_late() noexcept {
    PacketBuffer& waiting = intake_->waiting();
    while (begun_ && !waiting.empty() && waiting.front().end <= position_) {
        if (!waiting.front().redundant) ++stats_->packets_late;
        intake_->discard_front();
    }
}

void Playout::wait() noexcept {
    if (pausing_ || silent_) {
        pausing_ = true;
        return rest(static_cast<std::int64_t>(step_));
    }
    const auto missing = static_cast<std::int64_t>(std::clamp(packet_, step_ / 4, step_));
    waited_ += missing;
    conceal(missing, true);
}

void Playout::rest(std::int64_t samples) noexcept {
    if (begun_) return conceal(samples, !silent_);
    const std::size_t count = std::min(static_cast<std::size_t>(samples), step_);
    std::ranges::fill(line_.room(count), 0.0f);
    line_.grow(count);
    produced_ += static_cast<std::int64_t>(count);
}

// At most one step.
void Playout::conceal(std::int64_t samples, bool lost) noexcept {
    const std::size_t count = std::min(static_cast<std::size_t>(samples), step_);
    if (!concealer_.running() && lost) ++stats_->concealment_events;
    keep_state();
    const bool noise = concealer_.faded();
    const std::size_t made = decoder_ != nullptr ? decoder_->least_concealed(count) : count;
    concealer_.next(line_.history(), decoder_, splice_, line_.room(made));
    line_.grow(count);
    produced_ += static_cast<std::int64_t>(count);
    fresh_ = 0;
    if (lost) {
        stats_->concealed_samples += static_cast<std::int64_t>(count);
        if (noise) stats_->silent_concealed_samples += static_cast<std::int64_t>(count);
    }
    state_ = noise || !lost ? ReceiverState::comfort_noise : ReceiverState::concealed;
    if (concealer_.faded()) pausing_ = true;
}

void Playout::keep_state() noexcept {
    if (saved_ || decoder_ == nullptr) return;
    decoder_->save();
    saved_ = true;
}

// Something is missing before `resume`. True where a step of its replacement was produced.
bool Playout::bridge(const WaitingPacket& next, std::int64_t resume) noexcept {
    if (!next.redundant && intake_->all_came(last_sequence_ + 1, next.sequence_number)) {  // the sender was silent
        silent_ = pausing_ = true;
        return true;
    }
    const std::int64_t gap = resume - position_;
    std::int64_t skip = delay() - target();
    if (std::abs(skip - waited_) <= aligned_ms * config_.sample_rate_hz / 1000) skip = waited_;
    skip = std::clamp<std::int64_t>(skip, 0, gap);
    misplaced_ = misplaced_ || skip != waited_;
    position_ += skip;
    waited_ = 0;
    if (skip == gap) return false;
    const std::int64_t count = std::min(gap - skip, static_cast<std::int64_t>(step_));
    conceal(count, true);
    position_ += count;
    return true;
}

void Playout::drop_excess() noexcept {
    PacketBuffer& waiting = intake_->waiting();
    const std::int64_t most = most_excess_ms * config_.sample_rate_hz / 1000;
    while (delay() - needed() > most && &waiting.front() != &waiting.back()) {
        if (!waiting.front().redundant) ++stats_->packets_discarded;
        last_sequence_ = waiting.front().sequence_number;
        intake_->discard_front();
        position_ = waiting.front().begin;
        misplaced_ = true;
    }
}

void Playout::play(const WaitingPacket& next, std::int64_t resume) noexcept {
    const bool repeated = resume < next.begin;
    const bool other_codec = decoder_ != nullptr && decoder_ != &decoder_of(next);
    misplaced_ = misplaced_ || waited_ > 0 || other_codec;
    waited_ = 0;
    joins_ = misplaced_ || concealer_.extrapolates();
    if (joins_ && decoder_ != nullptr) {
        keep_state();
        for (const std::size_t at : {std::size_t{0}, step_})
            concealer_.next(line_.history(), decoder_, splice_, std::span(tail_).subspan(at, step_));
    }
    const std::int64_t delay_before = produced_ - resume;
    std::size_t count = decode(next, repeated);
    if (count > 0 && !repeated && position_ > next.begin) {  // its beginning was concealed already
        const auto gone = std::min(static_cast<std::size_t>(position_ - next.begin), count);
        std::copy(decoded_.begin() + gone, decoded_.begin() + count, decoded_.begin());
        count -= gone;
    }
    state_ = repeated ? ReceiverState::fec : ReceiverState::normal;
    if (count > 0) {
        concealer_.learn(std::span(decoded_).first(count));
        count = join(count, delay_before - target());
        append(count);
        packet_ = count;
        fresh_ = std::min(fresh_ + count, line_.waiting());
        if (fresh_ >= step_) stretch(delay_before);
    }
    position_ = repeated ? next.begin : next.end;
    if (repeated) {
        ++stats_->fec_recovered;
        return;
    }
    stats_->red_recovered += next.redundant ? 1 : 0;
    last_sequence_ = next.redundant ? last_sequence_ + 1 : next.sequence_number;
    intake_->discard_front();
}

std::size_t Playout::decode(const WaitingPacket& next, bool repeated) noexcept {
    VoiceDecoder& decoder = decoder_of(next);
    const auto payload = slots_->payload(next.slot);
    if (&decoder != decoder_) {
        decoder.reset();
        decoder_ = &decoder;
    } else if (misplaced_ && saved_) {
        decoder.restore();
    }
    saved_ = false;
    const std::size_t count = repeated ? decoder.decode_previous(payload, decoded_) : decoder.decode(payload, decoded_);
    if (count == 0) ++stats_->decode_errors;
    silent_ = !repeated && decoder.begins_silence(payload);
    return count;
}

// What was decoded fades in over what was concealed. Where it does not come in its place, it goes on where both are
// most alike: after a little more of the one or without the beginning of the other, as the delay allows. Returns how
// many samples are left of what was decoded.
std::size_t Playout::join(std::size_t count, std::int64_t excess) noexcept {
    const auto decoded = std::span(decoded_).first(count);
    const bool misplaced = std::exchange(misplaced_, false);
    if (!joins_ || count < step_) {
        concealer_.end(decoded);
        return count;
    }
    std::size_t offset = 0, more = 0;
    if (misplaced && excess > 0) {
        const std::size_t reach = std::min(count, step_ + std::min(static_cast<std::size_t>(excess), step_));
        offset = splice_.find(std::span(tail_).first(step_), decoded.first(reach)).offset;
    } else if (misplaced) {
        more = splice_.find(decoded.first(step_), tail_).offset;
    }
    Splice::crossfade(std::span(tail_).subspan(more, step_), decoded.subspan(offset, step_));
    std::copy(decoded.begin() + offset, decoded.end(), decoded.begin());
    std::copy_n(tail_.begin(), more, line_.room(more).begin());
    line_.grow(more);
    produced_ += static_cast<std::int64_t>(more);
    concealer_.end();
    return count - offset;
}

void Playout::append(std::size_t count) noexcept {
    std::copy_n(decoded_.begin(), count, line_.room(count + 2 * step_).begin());
    line_.grow(count);
    produced_ += static_cast<std::int64_t>(count);
}

// `delay`: of what was appended last.
void Playout::stretch(std::int64_t delay) noexcept {
    const std::int64_t excess = delay > needed() ? delay - needed() : std::min<std::int64_t>(0, delay - target());
    const std::size_t count = std::exchange(fresh_, 0);
    const std::ptrdiff_t by = stretch_.process(line_, count, excess, splice_, concealer_.background_power());
    if (by == 0) return;
    produced_ -= by;
    stats_->removed_samples += std::max<std::ptrdiff_t>(0, by);
    stats_->inserted_samples += std::max<std::ptrdiff_t>(0, -by);
    state_ = by > 0 ? ReceiverState::accelerated : ReceiverState::expanded;
}

void Playout::reset() noexcept {
    stretch_.reset();
    concealer_.reset();
    line_.reset();
    if (decoder_ != nullptr) decoder_->reset();
    decoder_ = nullptr;
    produced_ = position_ = waited_ = last_sequence_ = 0;
    fresh_ = packet_ = 0;
    begun_ = silent_ = saved_ = misplaced_ = false;
    pausing_ = true;
    state_ = ReceiverState::silence;
}

}  // namespace spike
