#include "dsp/echo/placement.hpp"

#include <algorithm>
#include <cmath>

namespace spike {
namespace {

// A jump is looked for while the model predicts an echo that is not there.
constexpr float suspect_share = 0.2f, right_share = 0.1f;
constexpr int most_frames_of_doubt = 20;
constexpr int frames_to_settle = 6;  // after a jump
// The model begins this much before the delay that was found, and once it has worked for a second, so much more: the
// loudest sound may come long after the first. It learns faster where it does not begin in silence.
constexpr double lead_blocks = 1.0, room_blocks = 2.0;
constexpr int frames_before_room = 100;
constexpr double same_delay_ms = 1.0;
constexpr double reach_blocks = 10.0;  // within which of the model's begin no delay speaks against it
constexpr int enough_surprises = 3;
constexpr int proofs_of_a_delay = 2;
constexpr int proofs_against_a_model = 12;  // while it still works

}  // namespace

Placement::Placement(const Config& config, const FarLine& line, FilterPair& filters)
    : config_(config),
      block_(static_cast<double>(config.block_samples)),
      filters_(&filters),
      decimated_lines_({config.sample_rate_hz, config.max_delay_ms, config.tail_ms}),
      delay_finder_(decimated_lines_),
      jump_finder_(decimated_lines_, config.tail_ms / 10 * config.block_samples),
      fine_alignment_(line, {.block_samples = config.block_samples,
                             .channels = config.channels,
                             .response_samples = config.tail_ms / 10 * config.block_samples,
                             .reach_samples = decimated_lines_.factor()}),
      drift_tracker_(config.block_samples) {}

void Placement::reset() noexcept {
    decimated_lines_.reset();
    delay_finder_.reset();
    jump_finder_.reset();
    fine_alignment_.reset();
    drift_tracker_.reset();
    state_ = {};
}

void Placement::push(std::span<const float> microphone, std::span<const float> far) noexcept {
    decimated_lines_.push(microphone, far);
    fine_alignment_.push(microphone);
}

Placement::Reading Placement::advance() noexcept {
    const double step = drift_tracker_.delay_step(), moved = step * block_;
    const std::size_t most = config_.block_samples * config_.max_delay_ms / 10;
    state_.begin = std::clamp(state_.begin + moved, 0.0, static_cast<double>(most));
    delay_finder_.drift(moved);
    if (is_placed()) state_.placed_for += moved;
    return {state_.begin, step};
}

void Placement::follow_drift(SpectrumView error, SpectrumView echo, bool is_trusted) noexcept {
    drift_tracker_.process(error, echo, is_trusted && is_settled());
}

Placement::Order Placement::begin_at(double begin, std::ptrdiff_t blocks) noexcept {
    state_.begin = begin;
    state_.frames_of_doubt = 0;  // the finder's model lies elsewhere now
    return {.blocks = blocks};
}

void Placement::tell_delay(double samples) noexcept {
    state_.delay_ms = static_cast<float>(1000.0 * samples / config_.sample_rate_hz);
}

std::optional<Placement::Order> Placement::hint(double delay_ms) noexcept {
    if (state_.has_worked) return std::nullopt;
    const double most = static_cast<double>(config_.max_delay_ms) / 10.0;
    const double wanted = std::clamp(std::round(delay_ms / 10.0 - lead_blocks), 0.0, most);
    const double shift = wanted - std::round(state_.begin / block_);
    if (shift == 0.0) return std::nullopt;
    return begin_at(wanted * block_, static_cast<std::ptrdiff_t>(shift));
}

std::optional<Placement::Order> Placement::follow_delay(const Evidence& evidence) noexcept {
    state_.has_worked = state_.has_worked || evidence.has_converged;
    const auto delay = delay_finder_.process();
    if (const auto growth = delay_finder_.growth()) drift_tracker_.observe(*growth);
    if (!delay) return std::nullopt;
    const double found = *delay, same = same_delay_ms * config_.sample_rate_hz / 1000.0;
    const bool is_unexpected = evidence.is_no_echo;
    if (is_unexpected) {
        state_.surprises = std::abs(found - state_.surprise) <= same ? state_.surprises + 1 : 1;
        state_.surprise = found;
        if (state_.surprises < enough_surprises) return std::nullopt;
    }
    state_.surprises = 0;
    const bool known = is_placed() && std::abs(found - state_.placed_for) <= same;
    const bool works = is_placed() && evidence.works;
    // A late reflection may be louder than the first sound: a model that works has both.
    if (works && found > state_.placed_for + same && found < state_.begin + reach_blocks * block_) return std::nullopt;
    // In a room full of reflections now one of them is found, now another: the majority has it.
    if (state_.proofs == 0) state_.proposed = found;
    const bool repeated = std::abs(found - state_.proposed) <= same;
    state_.proofs = known || !repeated ? std::max(0, state_.proofs - 1) : state_.proofs + 1;
    if (known) {
        state_.placed_for = found;
        tell_delay(found);
        if (is_unexpected) return Order{.is_unexpected = true};
        return std::nullopt;
    }
    // The first delay is taken at once. A model that works is moved only for one that is seen again and again: a near
    // end that talks makes the finder see many.
    const int enough = !is_placed() ? 1 : works ? proofs_against_a_model : proofs_of_a_delay;
    if (!is_unexpected && (!repeated || state_.proofs < enough)) return std::nullopt;
    auto order = move_model(found, works);
    if (is_unexpected) order = order.value_or(Order{}), order->is_unexpected = true;
    return order;
}

std::optional<Placement::Order> Placement::move_model(double found, bool works) noexcept {
    std::optional<Order> order;
    if (is_placed() && state_.has_worked && !works) {
        order = begin_at(std::max(0.0, state_.begin + found - state_.placed_for), 0);
        order->from_memory = true;
    } else {
        const double wanted = std::max(0.0, found - lead_blocks * block_);
        const double shift = std::round((wanted - state_.begin) / block_);
        if (shift != 0.0 && state_.begin + shift * block_ >= 0.0)
            order = begin_at(state_.begin + shift * block_, static_cast<std::ptrdiff_t>(shift));
    }
    state_.placed_for = found;
    state_.proofs = 0;
    state_.has_worked = false;
    tell_delay(found);
    return order;
}

std::optional<Placement::Order> Placement::make_room_for_the_first_sound(const Evidence& evidence) noexcept {
    const bool works = is_placed() && evidence.works && is_settled();
    const double room = std::min(std::floor(state_.begin / block_), room_blocks);
    if (room < 1.0 || state_.placed_for - state_.begin > (lead_blocks + 1.0) * block_) state_.working_frames = 0;
    if (!works || ++state_.working_frames < frames_before_room) return std::nullopt;
    state_.working_frames = 0;
    return begin_at(state_.begin - room * block_, -static_cast<std::ptrdiff_t>(room));
}

// While the model predicts an echo that is not there, and for a while after it has begun to fail, the echo is looked
// for at other delays.
std::optional<Placement::Order> Placement::catch_a_jump(const Evidence& evidence) noexcept {
    const bool fails = evidence.is_loud && evidence.share_left > suspect_share;
    const bool is_wrong = fails && evidence.overpredicts;
    const bool began_to_fail = fails && state_.was_right;
    state_.was_right = evidence.share_left < right_share || (state_.was_right && !fails);
    state_.settling_frames = std::max(0, state_.settling_frames - 1);
    state_.frames_of_doubt = std::max(0, state_.frames_of_doubt - 1);
    if ((is_wrong || began_to_fail) && filters_->remembers() && is_placed()) {
        if (state_.frames_of_doubt == 0) expect_a_jump();
        state_.frames_of_doubt = most_frames_of_doubt + state_.frames_of_doubt % 2;
    }
    std::optional<Order> order;
    if (state_.frames_of_doubt % 2 == 1)
        if (const auto moved = jump_finder_.look(state_.begin)) order = jump(*moved);
    state_.is_in_doubt = state_.settling_frames > 0 || (state_.frames_of_doubt > 0 && jump_finder_.is_elsewhere());
    return order;
}

void Placement::expect_a_jump() noexcept {
    filters_->remembered_response(jump_finder_.response());
    const double lead = state_.placed_for - state_.begin - 0.001 * config_.sample_rate_hz;
    jump_finder_.expect(static_cast<std::size_t>(std::clamp(lead, 0.0, room_blocks * block_)));
}

std::optional<Placement::Order> Placement::jump(double moved) noexcept {
    moved = std::round(moved);  // buffers jump by whole samples
    moved += fine_alignment_.best_shift(jump_finder_.response(), state_.begin + moved);
    const double given_up = std::max(0.0, std::ceil(-(state_.begin + moved) / block_));  // of the lead
    const double begin = state_.begin + moved + given_up * block_;
    if (begin > state_.placed_for + moved) return std::nullopt;
    Order order = begin_at(begin, static_cast<std::ptrdiff_t>(given_up));
    order.from_memory = order.has_jumped = true;
    state_.placed_for += moved;
    state_.proofs = 0;
    state_.settling_frames = frames_to_settle;
    delay_finder_.drift(moved);
    tell_delay(state_.placed_for);
    return order;
}

}  // namespace spike
