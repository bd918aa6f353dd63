#include "dsp/echo_canceller.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/denormals.hpp"
#include "dsp/power.hpp"

namespace spike {
namespace {

constexpr std::array supported_rates_hz{16000, 24000, 32000, 44100, 48000};
constexpr float most_sample = 4.0f;
constexpr float far_active_power = 1e-7f;  // -70 dBFS
constexpr float power_smoothing = 0.99f;   // one second
constexpr float recent_smoothing = 0.95f;  // 0.2 s
constexpr float converged_db = 6.0f;
constexpr float slow_transition = 0.9999f, fast_transition = 0.997f;
constexpr float race_smoothing = 0.95f;  // of the powers by which one filter takes over from the other
constexpr float fast_wins = 0.7f, slow_wins = 0.5f;
constexpr float doubt_after_a_jump = 0.1f;
constexpr float quick_smoothing = 0.9f;      // 0.1 s
constexpr float most_overprediction = 0.6f;  // of the error, that is echo which is not there
constexpr float worth_relearning = 0.15f;    // what a model may leave of the microphone before it is relearned
constexpr int frames_between_relearnings = 40;
constexpr float worth_keeping = 0.2f;  // what a model may leave of the microphone to be remembered
constexpr int frames_between_memories = 50;
// A jump is looked for while the model predicts an echo that is not there.
constexpr float suspect_overprediction = 0.4f, suspect_share = 0.2f, right_share = 0.1f;
constexpr int most_frames_of_doubt = 20;
constexpr int frames_to_settle = 6;  // after a jump
constexpr float works_share = 0.3f,
                trusted = 0.5f;  // what it may leave to stay where it is, and for the drift to be measured
// The model begins this much before the delay that was found, and once it has worked for a second, so much more: the
// loudest sound may come long after the first. It learns faster where it does not begin in silence.
constexpr double lead_blocks = 1.0, room_blocks = 2.0;
constexpr int frames_before_room = 100;
constexpr double same_delay_ms = 1.0;
constexpr double reach_blocks = 10.0;  // within which of the model's begin no delay speaks against it
constexpr int proofs_of_a_delay = 2;
constexpr int proofs_against_a_model = 12;  // while it still works
constexpr int blocks_per_bending = 2;       // one time in two the loudspeaker's distortion is learned
constexpr float far_end_alone = 0.15f;      // probability of a near end below which the echo can be measured

EchoCanceller::Config validated(const EchoCanceller::Config& config) {
    if (std::find(supported_rates_hz.begin(), supported_rates_hz.end(), config.sample_rate_hz) ==
        supported_rates_hz.end())
        throw std::invalid_argument("sample_rate_hz must be 16000, 24000, 32000, 44100 or 48000, not " +
                                    std::to_string(config.sample_rate_hz));
    if (config.far_channels < 1 || config.far_channels > 2)
        throw std::invalid_argument("far_channels must be 1 or 2, not " + std::to_string(config.far_channels));
    return config;
}

float mean_product(std::span<const float> one, std::span<const float> other) noexcept {
    float sum = 0.0f;
    for (std::size_t n = 0; n < one.size(); ++n) sum += one[n] * other[n];
    return sum / static_cast<float>(one.size());
}

void mix(std::span<const float> channels, float gain, std::span<float> mono) noexcept {
    for (std::size_t n = 0; n < mono.size(); ++n) {
        mono[n] = 0.0f;
        for (std::size_t at = n; at < channels.size(); at += mono.size()) mono[n] += gain * channels[at];
    }
}

// What is no number becomes silence, and what no converter gives is clipped: the state must stay sane.
void copy_sane(std::span<const float> from, std::span<float> to) noexcept {
    for (std::size_t n = 0; n < to.size(); ++n) {
        const float clipped = std::min(std::max(from[n], -most_sample), most_sample);
        to[n] = from[n] == from[n] ? clipped : 0.0f;
    }
}

float ratio_db(float above, float below) noexcept { return 10.0f * std::log10((above + 1e-12f) / (below + 1e-12f)); }

}  // namespace

EchoCanceller::EchoCanceller(const Config& config)
    : config_(validated(config)),
      frame_(static_cast<std::size_t>(config.sample_rate_hz) / 100),
      far_line_({frame_, frame_ * (config.tail_ms + config.max_delay_ms + 50) / 10, config.far_channels}),
      predistorter_(frame_, config.far_channels),
      far_spectra_(frame_, config.tail_ms / 10, config.far_channels),
      filter_(far_spectra_, {.transition = slow_transition}),
      fast_filter_(far_spectra_, {.transition = fast_transition, .constrained_per_block = 2}),
      old_(far_spectra_, {}),
      older_(far_spectra_, {}),
      decimated_lines_({config.sample_rate_hz, config.max_delay_ms, config.tail_ms}),
      delay_finder_(decimated_lines_),
      jump_finder_(decimated_lines_, config.tail_ms / 10 * frame_),
      fine_alignment_(far_line_, {.block_samples = frame_,
                                  .channels = config.far_channels,
                                  .response_samples = config.tail_ms / 10 * frame_,
                                  .reach_samples = decimated_lines_.factor()}),
      drift_tracker_(frame_, config.sample_rate_hz),
      suppressor_({frame_, config.sample_rate_hz, config.weights}),
      far_sane_(frame_ * config.far_channels),
      far_mono_(frame_),
      far_aligned_(frame_ * config.far_channels),
      far_heard_(frame_),
      error_(frame_),
      echo_(frame_),
      fast_error_(frame_),
      fast_echo_(frame_),
      microphone_(frame_),
      delayed_microphone_(frame_) {}

void EchoCanceller::reset() noexcept {
    far_line_.reset();
    far_spectra_.reset();
    predistorter_.reset();
    for (auto* filter : {&filter_, &fast_filter_, &old_, &older_}) filter->reset();
    slow_power_ = fast_power_ = 0.0f;
    decimated_lines_.reset();
    fine_alignment_.reset();
    delay_finder_.reset();
    drift_tracker_.reset();
    suppressor_.reset();
    std::fill(delayed_microphone_.begin(), delayed_microphone_.end(), 0.0f);
    microphone_power_ = error_power_ = out_power_ = recent_microphone_power_ = recent_error_power_ = 0.0f;
    recent_echo_power_ = explained_ = 0.0f;
    quick_microphone_power_ = quick_error_power_ = quick_echo_power_ = overpredicted_ = 0.0f;
    since_relearning_ = since_bending_ = working_frames_ = 0;
    begin_ = proposed_ = 0.0;
    placed_for_ = -1.0;
    moment_ = 0.0;
    proofs_ = memories_ = frames_of_doubt_ = settling_frames_ = 0;
    was_right_ = has_worked_ = false;
    jump_finder_.reset();
    stats_ = {};
}

void EchoCanceller::hint_delay(double delay_ms) noexcept {
    if (has_worked_) return;
    const auto block = static_cast<double>(frame_);
    const double most = static_cast<double>(config_.max_delay_ms) / 10.0;
    const double wanted = std::clamp(std::round(delay_ms / 10.0 - lead_blocks), 0.0, most);
    const double shift = wanted - std::round(begin_ / block);
    if (shift != 0.0) realign(wanted * block, static_cast<std::ptrdiff_t>(shift));
}

void EchoCanceller::follow_delay() noexcept {
    moment_ += static_cast<double>(frame_);
    const auto delay = delay_finder_.process();
    if (!delay) return;
    drift_tracker_.observe_delay(moment_, *delay);
    const double found = *delay, same = same_delay_ms * config_.sample_rate_hz / 1000.0;
    const bool known = placed_for_ >= 0.0 && std::abs(found - placed_for_) <= same;
    const bool works = placed_for_ >= 0.0 && still_works();
    // A late reflection may be louder than the first sound: a model that works has both.
    if (works && found > placed_for_ + same && found < begin_ + reach_blocks * static_cast<double>(frame_)) return;
    // In a room full of reflections now one of them is found, now another: the majority has it.
    if (proofs_ == 0) proposed_ = found;
    const bool repeated = std::abs(found - proposed_) <= same;
    proofs_ = known || !repeated ? std::max(0, proofs_ - 1) : proofs_ + 1;
    if (known) {
        placed_for_ = found;
        stats_.delay_ms = static_cast<float>(1000.0 * found / config_.sample_rate_hz);
        return;
    }
    // The first delay is taken at once. A model that works is moved only for one that is seen again and again: a near
    // end that talks makes the finder see many.
    const int enough = placed_for_ < 0.0 ? 1 : works ? proofs_against_a_model : proofs_of_a_delay;
    if (repeated && proofs_ >= enough) move_model(found);
}

bool EchoCanceller::still_works() const noexcept { return explained_ > works_share * recent_echo_power_; }

void EchoCanceller::realign(double begin, std::ptrdiff_t blocks) noexcept {
    begin_ = begin;
    frames_of_doubt_ = 0;  // the finder's model lies elsewhere now
    read_far_anew();
    for (auto* filter : {&filter_, &fast_filter_, &old_, &older_}) filter->shift(blocks);
}

void EchoCanceller::move_model(double found) noexcept {
    const auto block = static_cast<double>(frame_);
    const double wanted = std::max(0.0, found - lead_blocks * block);
    if (placed_for_ >= 0.0 && has_worked_ && !still_works()) {
        // The room has stayed, the buffers have not: the same model at another delay.
        realign(std::max(0.0, begin_ + found - placed_for_), 0);
        for (auto* filter : {&filter_, &fast_filter_}) {
            filter->learn_from(older_, true);
            filter->doubt(doubt_after_a_jump);
        }
    } else {
        const double shift = std::round((wanted - begin_) / block);
        if (shift != 0.0 && begin_ + shift * block >= 0.0)
            realign(begin_ + shift * block, static_cast<std::ptrdiff_t>(shift));
    }
    placed_for_ = found;
    proofs_ = 0;
    has_worked_ = false;
    stats_.delay_ms = static_cast<float>(1000.0 * found / config_.sample_rate_hz);
}

void EchoCanceller::make_room_for_the_first_sound() noexcept {
    const auto block = static_cast<double>(frame_);
    const bool works = placed_for_ >= 0.0 && still_works() && settling_frames_ == 0 && frames_of_doubt_ == 0;
    const double room = std::min(std::floor(begin_ / block), room_blocks);
    if (room < 1.0 || placed_for_ - begin_ > (lead_blocks + 1.0) * block) working_frames_ = 0;
    if (!works || ++working_frames_ < frames_before_room) return;
    working_frames_ = 0;
    realign(begin_ - room * block, -static_cast<std::ptrdiff_t>(room));
}

// While the model predicts an echo that is not there, and for a while after it has begun to fail, the echo is looked
// for at other delays.
void EchoCanceller::catch_a_jump() noexcept {
    const bool is_loud = quick_microphone_power_ > far_active_power;
    const bool fails = is_loud && stats_.share_left > suspect_share;
    const bool is_wrong =
        fails && overpredicted_ > suspect_overprediction * std::min(2.0f * quick_echo_power_, quick_error_power_);
    const bool began_to_fail = fails && was_right_;
    was_right_ = stats_.share_left < right_share || (was_right_ && !fails);
    settling_frames_ = std::max(0, settling_frames_ - 1);
    frames_of_doubt_ = std::max(0, frames_of_doubt_ - 1);
    if ((is_wrong || began_to_fail) && memories_ >= 2 && placed_for_ >= 0.0) {
        if (frames_of_doubt_ == 0) expect_a_jump();
        frames_of_doubt_ = most_frames_of_doubt + frames_of_doubt_ % 2;
    }
    if (frames_of_doubt_ % 2 == 1)
        if (const auto moved = jump_finder_.look(begin_)) jump(*moved);
    stats_.delay_in_doubt = settling_frames_ > 0 || (frames_of_doubt_ > 0 && jump_finder_.is_elsewhere());
}

void EchoCanceller::expect_a_jump() noexcept {
    older_.impulse_response(jump_finder_.response());
    const double lead = placed_for_ - begin_ - 0.001 * config_.sample_rate_hz;
    const double most = room_blocks * static_cast<double>(frame_);
    jump_finder_.expect(static_cast<std::size_t>(std::clamp(lead, 0.0, most)));
}

// The room has stayed, the buffers have not: what was known before is right at another delay.
void EchoCanceller::jump(double moved) noexcept {
    moved = std::round(moved);  // buffers jump by whole samples
    moved += fine_alignment_.best_shift(jump_finder_.response(), begin_ + moved);
    const auto block = static_cast<double>(frame_);
    const double given_up = std::max(0.0, std::ceil(-(begin_ + moved) / block));  // of the lead
    const double begin = begin_ + moved + given_up * block;
    if (begin > placed_for_ + moved) return;
    realign(begin, static_cast<std::ptrdiff_t>(given_up));
    for (auto* filter : {&filter_, &fast_filter_}) {
        filter->learn_from(older_, true);
        filter->doubt(doubt_after_a_jump);
    }
    old_.learn_from(older_, true);
    placed_for_ += moved;
    proofs_ = 0;
    recent_error_power_ = quick_error_power_ = overpredicted_ = slow_power_ = fast_power_ = 0.0f;  // of another delay
    settling_frames_ = frames_to_settle;
    delay_finder_.drift(moved);
    stats_.delay_ms = static_cast<float>(1000.0 * placed_for_ / config_.sample_rate_hz);
}

void EchoCanceller::read_far() noexcept {
    const double step = drift_tracker_.delay_step();
    const std::size_t most_samples = frame_ * config_.max_delay_ms / 10;
    const auto most = static_cast<double>(most_samples);
    begin_ = std::clamp(begin_ + step * static_cast<double>(frame_), 0.0, most);
    delay_finder_.drift(step * static_cast<double>(frame_));
    if (placed_for_ >= 0.0) placed_for_ += step * static_cast<double>(frame_);
    for (std::size_t channel = 0; channel < config_.far_channels; ++channel)
        far_line_.read(channel, 0, begin_, step, std::span(far_aligned_).subspan(channel * frame_, frame_));
    mix(far_aligned_, 1.0f / static_cast<float>(config_.far_channels), far_heard_);
    predistorter_.process(far_aligned_);
}

void EchoCanceller::read_far_anew() noexcept {
    far_spectra_.realign([this](std::size_t channel, std::size_t back, std::span<float> out) {
        far_line_.read(channel, back, begin_, 0.0, out);
        predistorter_.distort(out);
    });
    predistorter_.realign(far_line_, begin_);
}

void EchoCanceller::predict(std::span<const float> microphone) noexcept {
    far_spectra_.push(far_aligned_);
    const bool bends = settling_frames_ == 0 && frames_of_doubt_ == 0 && predistorter_.can_learn() &&
                       ++since_bending_ % blocks_per_bending == 0;
    if (bends) predistorter_.hear(filter_);
    filter_.process(microphone, error_, echo_);
    if (bends) predistorter_.learn(filter_);
    fast_filter_.process(microphone, fast_error_, fast_echo_);
    slow_power_ = race_smoothing * slow_power_ + (1.0f - race_smoothing) * mean_power(error_);
    fast_power_ = race_smoothing * fast_power_ + (1.0f - race_smoothing) * mean_power(fast_error_);
    if (recent_error_power_ < worth_keeping * recent_microphone_power_ && recent_microphone_power_ > far_active_power &&
        ++kept_since_ >= frames_between_memories) {
        kept_since_ = 0;
        ++memories_;
        older_.learn_from(old_, true);
        old_.learn_from(filter_, true);
    }
    relearn_a_changed_path(microphone);
    if (fast_power_ < fast_wins * slow_power_) {
        filter_.learn_from(fast_filter_, true);
        slow_power_ = fast_power_;
    } else if (slow_power_ < slow_wins * fast_power_) {
        fast_filter_.learn_from(filter_, true);
        fast_power_ = slow_power_;
    }
    if (fast_power_ < slow_power_) {
        std::swap(error_, fast_error_);
        std::swap(echo_, fast_echo_);
    }
}

// Who talks adds to the predicted echo; a path that has changed makes the prediction wrong, so that the microphone
// holds less of it than was predicted. Then the quick filter begins anew, beside the other, which goes on as it is.
void EchoCanceller::relearn_a_changed_path(std::span<const float> microphone) noexcept {
    const auto follow = [](float& mean, float power) { mean += (1.0f - quick_smoothing) * (power - mean); };
    follow(quick_microphone_power_, mean_power(microphone));
    follow(quick_error_power_, mean_power(error_));
    follow(quick_echo_power_, mean_power(echo_));
    follow(overpredicted_, 2.0f * (mean_power(echo_) - mean_product(microphone, echo_)));
    stats_.share_left = std::min(1.0f, quick_error_power_ / (quick_microphone_power_ + 1e-12f));
    ++since_relearning_;
    if (since_relearning_ < frames_between_relearnings || quick_microphone_power_ < far_active_power ||
        quick_error_power_ < worth_relearning * quick_microphone_power_ ||
        overpredicted_ < most_overprediction * quick_error_power_)
        return;
    since_relearning_ = 0;
    fast_filter_.forget_certainty();
}

void EchoCanceller::follow_drift() noexcept {
    const bool is_trusted = recent_error_power_ < trusted * recent_microphone_power_ &&
                            recent_microphone_power_ > far_active_power && frames_of_doubt_ == 0 &&
                            settling_frames_ == 0;
    const Spectrum error = suppressor_.error(), echo = suppressor_.echo();
    drift_tracker_.process(error.real, error.imag, echo.real, echo.imag, is_trusted);
    stats_.drift_ppm = drift_tracker_.drift_ppm();
}

void EchoCanceller::process(std::span<const float> microphone, std::span<const float> far,
                            std::span<float> out) noexcept {
    const DenormalsOff denormals_off;
    copy_sane(microphone, microphone_);  // `out` may overwrite it
    copy_sane(far, far_sane_);
    far_line_.push(far_sane_);
    mix(far_sane_, 1.0f, far_mono_);
    decimated_lines_.push(microphone_, far_mono_);
    fine_alignment_.push(microphone_);
    read_far();
    predict(microphone_);
    suppressor_.analyse({microphone_, error_, echo_, far_heard_});
    follow_drift();
    suppressor_.suppress(filter_.residual_power(), out);
    update_stats(delayed_microphone_, out, mean_power(far_mono_));
    // Last, since the far end is realigned between two blocks.
    follow_delay();
    catch_a_jump();
    make_room_for_the_first_sound();
    std::swap(microphone_, delayed_microphone_);
}

void EchoCanceller::update_stats(std::span<const float> microphone, std::span<const float> out,
                                 float far_power) noexcept {
    const auto follow = [](float& mean, float power, float keep) { mean += (1.0f - keep) * (power - mean); };
    const float microphone_power = mean_power(microphone);
    follow(recent_microphone_power_, mean_power(microphone_), recent_smoothing);
    follow(recent_error_power_, mean_power(error_), recent_smoothing);
    follow(recent_echo_power_, mean_power(echo_), recent_smoothing);
    follow(explained_, mean_product(microphone_, echo_), recent_smoothing);
    const bool far_active = far_power > far_active_power;
    const float near_end = suppressor_.near_end_probability();
    stats_.near_end = near_end;
    stats_.double_talk = far_active ? near_end : 0.0f;
    if (!far_active || near_end > far_end_alone) return;
    follow(microphone_power_, microphone_power, power_smoothing);
    follow(error_power_, mean_power(error_), power_smoothing);
    follow(out_power_, mean_power(out), power_smoothing);
    stats_.erle_db = ratio_db(microphone_power_, out_power_);
    stats_.converged = ratio_db(microphone_power_, error_power_) > converged_db;
    has_worked_ = has_worked_ || stats_.converged;
}

}  // namespace spike
