#include "media/playout.hpp"

#include <algorithm>
#include <cmath>

#include "base/power.hpp"

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
      concealer_(config.sample_rate_hz),
      line_(step_ * longest_history_ms / 10, step_ * (VoiceDecoder::longest_packet_ms / 10 + 6)),
      decoded_(step_ * VoiceDecoder::longest_packet_ms / 10 + 1),
      tail_(step_) {}

VoiceDecoder& Playout::decoder_of(const WaitingPacket& packet) const noexcept {
    return *(*decoders_)[slots_->header(packet.slot).decoder];
}

std::int64_t Playout::target() const noexcept {
    const ArrivalStatistics& arrivals = intake_->arrivals();
    return std::clamp(arrivals.target(), arrivals.earliest() + config_.min_delay,
                      arrivals.earliest() + config_.max_delay);
}

void Playout::give(std::span<float> out) noexcept {
    while (line_.waiting() < out.size()) produce();
    line_.take(out);
}

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
    waited_ += static_cast<std::int64_t>(step_);
    conceal(static_cast<std::int64_t>(step_), true);
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
    const auto room = line_.room(step_);
    concealer_.next(line_.history(), decoder_, splice_, room);
    line_.grow(count);
    produced_ += static_cast<std::int64_t>(count);
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
    if (!next.redundant && next.sequence_number == last_sequence_ + 1) {  // nothing was lost: the sender was silent
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
    const std::int64_t wanted = std::max(target(), intake_->arrivals().latest());
    while (delay() - wanted > most && &waiting.front() != &waiting.back()) {
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
    if (misplaced_ && decoder_ != nullptr) {
        keep_state();
        concealer_.next(line_.history(), decoder_, splice_, tail_);
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
        count = join(count);
        append(count);
        stretch(count, delay_before);
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

// What was decoded goes on from what was concealed: returns how many samples are left of it.
std::size_t Playout::join(std::size_t count) noexcept {
    const auto decoded = std::span(decoded_).first(count);
    if (concealer_.running() && misplaced_ && count > step_) {
        const std::size_t reach = std::min(count, 2 * step_ + step_ / 4);
        const std::size_t offset = splice_.find(tail_, decoded.first(reach)).offset;
        Splice::crossfade(tail_, decoded.subspan(offset, step_));
        std::copy(decoded.begin() + offset, decoded.end(), decoded.begin());
        count -= offset;
        concealer_.end();
    } else {
        concealer_.end(decoded);
    }
    misplaced_ = false;
    return count;
}

void Playout::append(std::size_t count) noexcept {
    std::copy_n(decoded_.begin(), count, line_.room(count + 2 * step_).begin());
    line_.grow(count);
    produced_ += static_cast<std::int64_t>(count);
}

// Leaves out or repeats a period of the `count` samples that were appended last, where the delay is not what it should
// be and the signal allows it.
void Playout::stretch(std::size_t count, std::int64_t delay) noexcept {
    const std::int64_t hasty = config_.sample_rate_hz / 400;  // 2.5 ms, the shortest period of a pitch
    rested_ += static_cast<std::int64_t>(count);
    const std::int64_t excess = delay - std::max(target(), intake_->arrivals().latest());
    const std::int64_t lack = target() - delay;
    if ((excess < hasty && lack < hasty) || count < step_) return;
    const bool urgent = std::max(excess, lack) > 8 * hasty;
    if (rested_ < static_cast<std::int64_t>(urgent ? 3 * step_ : 6 * step_)) return;
    const float least_likeness = urgent ? 0.6f : 0.85f;
    constexpr float silence = 1e-6f;
    const auto kept = line_.kept();
    const std::size_t at = kept.size() - count, pattern = step_ * 3 / 4;
    const auto shortest = static_cast<std::size_t>(hasty), longest = step_ * 5 / 4;
    const auto wanted = static_cast<std::size_t>(std::max(excess, lack));
    const std::size_t most = std::min({longest, std::max(wanted, shortest), excess > 0 ? count - pattern : longest});
    if (most < shortest) return;
    const std::size_t from = excess > 0 ? at + shortest : at - most;
    const auto match = splice_.find(kept.subspan(at, pattern), kept.subspan(from, most - shortest + pattern));
    const bool silent = mean_power(kept.subspan(at)) < std::max(silence, 4.0f * concealer_.background_power());
    if (!silent && match.likeness < least_likeness) return;
    jump(at, static_cast<std::ptrdiff_t>(from + match.offset) - static_cast<std::ptrdiff_t>(at));
    state_ = excess > 0 ? ReceiverState::accelerated : ReceiverState::expanded;
    rested_ = 0;
}

// From `at` on, go over to what lies `by` samples later, or earlier.
void Playout::jump(std::size_t at, std::ptrdiff_t by) noexcept {
    const auto kept = line_.kept();
    const std::size_t seam = step_ / 2;
    const auto to = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(at) + by);
    const auto fade = std::span(tail_).first(seam);
    std::copy_n(kept.begin() + to, seam, fade.begin());
    Splice::crossfade(kept.subspan(at, seam), fade);
    const auto rest = kept.subspan(to + seam);
    if (by > 0) {
        std::copy(rest.begin(), rest.end(), kept.begin() + at + seam);
        line_.shrink(static_cast<std::size_t>(by));
        stats_->removed_samples += by;
    } else {
        line_.grow(static_cast<std::size_t>(-by));
        std::copy_backward(rest.begin(), rest.end(), line_.kept().end());
        stats_->inserted_samples -= by;
    }
    std::ranges::copy(fade, line_.kept().begin() + at);
    produced_ -= by;
}

void Playout::reset() noexcept {
    concealer_.reset();
    line_.reset();
    if (decoder_ != nullptr) decoder_->reset();
    decoder_ = nullptr;
    produced_ = position_ = waited_ = last_sequence_ = rested_ = 0;
    begun_ = silent_ = saved_ = misplaced_ = false;
    pausing_ = true;
    state_ = ReceiverState::silence;
}

}  // namespace spike
