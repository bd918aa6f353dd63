#include "dsp/echo_canceller.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/denormals.hpp"
#include "base/power.hpp"

namespace spike {
namespace {

constexpr std::array supported_rates_hz{8000, 12000, 16000, 24000, 32000, 44100, 48000};
constexpr float most_sample = 4.0f;
constexpr float far_active_power = 1e-7f;  // -70 dBFS
constexpr float worth_keeping = 0.2f;      // what a model may leave of the microphone to be remembered
constexpr float certainly_louder = 10.0f;  // than the most that can be echo
constexpr float unexplained = 0.2f;        // share that the model leaves of what may be no sound at all
constexpr float trusted = 0.5f;            // and for the drift to be measured
constexpr int frames_per_bending = 2;      // one time in two the loudspeaker's distortion is learned
// What is heard so many blocks after the far end began is looked for there: the model begins a little before it.
constexpr std::size_t least_late_blocks = 40, blocks_before_onset = 7;
constexpr float far_end_alone = 0.15f;  // probability of a near end below which the echo can be measured

EchoCanceller::Config validated(const EchoCanceller::Config& config) {
    if (std::find(supported_rates_hz.begin(), supported_rates_hz.end(), config.sample_rate_hz) ==
        supported_rates_hz.end())
        throw std::invalid_argument("sample_rate_hz must be 8000, 12000, 16000, 24000, 32000, 44100 or 48000, not " +
                                    std::to_string(config.sample_rate_hz));
    if (config.far_channels < 1 || config.far_channels > 2)
        throw std::invalid_argument("far_channels must be 1 or 2, not " + std::to_string(config.far_channels));
    return config;
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

}  // namespace

EchoCanceller::EchoCanceller(const Config& config)
    : config_(validated(config)),
      frame_(static_cast<std::size_t>(config.sample_rate_hz) / 100),
      far_line_({frame_, frame_ * (config.tail_ms + config.max_delay_ms + 50) / 10, config.far_channels}),
      predistorter_(frame_, config.far_channels),
      far_spectra_(frame_, config.tail_ms / 10, config.far_channels),
      filters_(far_spectra_),
      placement_({.sample_rate_hz = config.sample_rate_hz,
                  .block_samples = frame_,
                  .channels = config.far_channels,
                  .tail_ms = config.tail_ms,
                  .max_delay_ms = config.max_delay_ms},
                 far_line_, filters_),
      watch_(config.sample_rate_hz),
      return_(frame_, config.sample_rate_hz),
      suppressor_({frame_, config.sample_rate_hz, config.weights}),
      far_sane_(frame_ * config.far_channels),
      far_mono_(frame_),
      far_aligned_(frame_ * config.far_channels),
      far_heard_(frame_),
      microphone_(frame_),
      delayed_microphone_(frame_) {}

void EchoCanceller::reset() noexcept {
    far_line_.reset();
    predistorter_.reset();
    far_spectra_.reset();
    filters_.reset();
    placement_.reset();
    watch_.reset();
    onset_.reset();
    return_.reset();
    suppressor_.reset();
    meter_.reset();
    std::ranges::fill(delayed_microphone_, 0.0f);
    state_ = {};
}

void EchoCanceller::hint_delay(double delay_ms) {
    if (!(delay_ms >= 0.0 && delay_ms <= static_cast<double>(config_.max_delay_ms)))
        throw std::invalid_argument("delay_ms must be from 0 to " + std::to_string(config_.max_delay_ms) + ", not " +
                                    std::to_string(delay_ms));
    state_.is_told_delay = true;
    if (const auto order = placement_.hint(delay_ms)) realign(*order);
}

void EchoCanceller::process(std::span<const float> microphone, std::span<const float> far,
                            std::span<float> out) noexcept {
    const DenormalsOff denormals_off;
    copy_sane(microphone, microphone_);  // `out` may overwrite it
    copy_sane(far, far_sane_);
    far_line_.push(far_sane_);
    mix(far_sane_, 1.0f, far_mono_);
    placement_.push(microphone_, far_mono_);
    state_.is_deaf = watch_.is_deaf(microphone_, meter_.share_left() > unexplained);
    if (!state_.is_deaf) onset_.hear(mean_power(microphone_), mean_power(far_mono_));
    read_far();
    predict();
    suppressor_.analyse({microphone_, filters_.error(), filters_.echo(), far_heard_, state_.is_deaf});
    return_.hear({microphone_, suppressor_.microphone(), far_mono_, state_.is_deaf});
    if (filters_.is_proven()) return_.raise();
    return_.notice(!state_.is_deaf && onset_.is_loud());
    placement_.follow_drift(suppressor_.error(), suppressor_.echo(),
                            filters_.is_learning() && meter_.leaves_less_than(trusted));
    suppressor_.suppress(filters_.residual_power(), return_, out);
    update_stats(out);
    follow_the_path();
    std::swap(microphone_, delayed_microphone_);
}

void EchoCanceller::read_far() noexcept {
    const auto [begin, step] = placement_.advance();
    for (std::size_t channel = 0; channel < config_.far_channels; ++channel)
        far_line_.read(channel, 0, begin, step, std::span(far_aligned_).subspan(channel * frame_, frame_));
    mix(far_aligned_, 1.0f / static_cast<float>(config_.far_channels), far_heard_);
    predistorter_.process(far_aligned_);
    far_spectra_.push(far_aligned_);
}

void EchoCanceller::predict() noexcept {
    const bool bends =
        placement_.is_settled() && predistorter_.can_learn() && ++state_.frames_since_bending % frames_per_bending == 0;
    if (bends) predistorter_.hear(filters_.sure());
    filters_.expect(return_.share());
    for (std::size_t band = 0; band < EchoReturn::bands; ++band)
        filters_.allow(return_.begin(band), return_.end(band), return_.times_heard(band));
    filters_.process({microphone_, state_.is_deaf, return_.most_echo(), return_.is_none()});
    if (bends && filters_.is_learning()) predistorter_.learn(filters_.sure());
    if (meter_.leaves_less_than(worth_keeping)) filters_.remember();
    meter_.hear_model({microphone_, filters_.error(), filters_.echo()});
    filters_.relearn(meter_.path_has_changed());
    filters_.race(microphone_);
}

void EchoCanceller::update_stats(std::span<const float> out) noexcept {
    meter_.hear_result({microphone_, filters_.error(), filters_.echo()});
    const bool far_active = mean_power(far_mono_) > far_active_power;
    EchoStats& stats = state_.stats;
    stats.near_end = suppressor_.near_end_probability();
    stats.double_talk = far_active ? stats.near_end : 0.0f;
    stats.share_left = meter_.share_left();
    state_.has_converged = false;
    if (!far_active || stats.near_end > far_end_alone) return;
    meter_.hear_echo_alone(delayed_microphone_, filters_.error(), out);
    stats.erle_db = meter_.erle_db();
    stats.converged = state_.has_converged = meter_.converged();
}

// The first sound that a microphone hears may be a late echo: a model that begins there tells sooner than correlation.
void EchoCanceller::try_the_onset() noexcept {
    const auto blocks = onset_.lateness();
    if (!blocks || *blocks < least_late_blocks || *blocks > config_.max_delay_ms / 10 || state_.is_told_delay) return;
    const double delay_ms = 10.0 * static_cast<double>(*blocks - blocks_before_onset);
    if (const auto order = placement_.expect(delay_ms)) realign(*order);
}

// At the end of a frame, since the far end is realigned between two blocks.
void EchoCanceller::follow_the_path() noexcept {
    const Placement::Evidence evidence{.is_loud = meter_.is_loud(),
                                       .is_no_echo = meter_.is_louder_than(certainly_louder * return_.most_echo()),
                                       .works = meter_.still_works(),
                                       .overpredicts = meter_.delay_may_have_changed(),
                                       .share_left = meter_.share_left(),
                                       .has_converged = state_.has_converged};
    if (!state_.is_deaf) try_the_onset();
    for (const auto step :
         {&Placement::follow_delay, &Placement::catch_a_jump, &Placement::make_room_for_the_first_sound})
        if (const auto order = (placement_.*step)(evidence)) realign(*order);
    state_.stats.delay_ms = placement_.delay_ms();
    state_.stats.drift_ppm = placement_.drift_ppm();
    state_.stats.delay_in_doubt = placement_.is_in_doubt();
}

void EchoCanceller::realign(const Placement::Order& order) noexcept {
    const double begin = placement_.begin();
    far_spectra_.realign([this, begin](std::size_t channel, std::size_t back, std::span<float> out) {
        far_line_.read(channel, back, begin, 0.0, out);
        predistorter_.distort(out);
    });
    predistorter_.realign(far_line_, begin);
    if (order.is_unexpected) {
        return_.forget();
        filters_.start_anew();
    }
    filters_.shift(order.blocks);
    if (order.from_memory) filters_.recall();
    if (!order.has_jumped) return;
    filters_.forget_since_memory();
    meter_.forget_error();
}

}  // namespace spike
