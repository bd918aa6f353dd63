#include "dsp/resampler.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "convert/samples.hpp"

namespace spike {
namespace {

// Inputs that are taken in at once; longer calls run in pieces.
constexpr std::size_t piece_samples = 512;
// Above this many phases (44100 to 44123, say) the rows are interpolated like those of a ratio that varies.
constexpr std::uint64_t most_exact_phases = 1024;
constexpr std::size_t interpolated_phases = 1024;

Resampler::Config validated(const Resampler::Config& config) {
    for (const int rate_hz : {config.from_hz, config.to_hz})
        if (rate_hz < Resampler::least_rate_hz || rate_hz > Resampler::most_rate_hz)
            throw std::invalid_argument("rates must be from 8000 to 192000 Hz, not " + std::to_string(rate_hz));
    if (config.channels < 1 || config.channels > Resampler::most_channels)
        throw std::invalid_argument("channels must be from 1 to 8, not " + std::to_string(config.channels));
    return config;
}

std::size_t padded(std::size_t taps) { return (taps + dot_lanes - 1) / dot_lanes * dot_lanes; }

}  // namespace

Resampler::Resampler(const Config& config)
    : config_(validated(config)),
      kernel_(&dot_product(config.isa)),
      filter_(config.from_hz, config.to_hz, config.quality),
      up_(static_cast<std::uint64_t>(config.to_hz / std::gcd(config.from_hz, config.to_hz))),
      down_(static_cast<std::uint64_t>(config.from_hz / std::gcd(config.from_hz, config.to_hz))),
      taps_(padded(2 * filter_.half_taps())),
      interpolates_(up_ > most_exact_phases) {
    // Output k is due after (k + 1) * down / up inputs, and its last input must be among them.
    latency_ = static_cast<std::size_t>(((filter_.half_taps() + 1) * up_ + down_ - 1) / down_);
    lead_ = static_cast<std::size_t>((latency_ * down_ + up_ - 1) / up_) + filter_.half_taps() - 1;
    capacity_ = lead_ + 2 * piece_samples + taps_;
    history_.resize(config_.channels * capacity_);
    make_rows(interpolates_ ? interpolated_phases : static_cast<std::size_t>(up_));
    reset();
}

void Resampler::make_rows(std::size_t phases) {
    phases_ = phases;
    rows_.assign((phases + 1) * taps_, 0.0f);  // one more than phases: the last is interpolated towards
    if (up_ == down_ && !varies_) {            // nothing to filter
        rows_[filter_.half_taps() - 1] = 1.0f;
        return;
    }
    for (std::size_t phase = 0; phase <= phases; ++phase) {
        const auto row = filter_.row(phase, phases);
        std::copy(row.begin(), row.end(), rows_.begin() + static_cast<std::ptrdiff_t>(phase * taps_));
    }
}

void Resampler::reset() noexcept {
    std::fill(history_.begin(), history_.end(), 0.0f);
    filled_ = lead_;
    inputs_ = outputs_ = 0;
    // Output 0 lies latency * down / up inputs before input 0.
    const std::uint64_t phase = (up_ - latency_ * down_ % up_) % up_;
    position_ = {.first = 0,
                 .phase = phase,
                 .moment = static_cast<double>(phase) / static_cast<double>(up_),
                 .step = static_cast<double>(down_) / static_cast<double>(up_)};
    target_step_ = position_.step;
    step_change_ = 0.0;
}

void Resampler::set_ratio(double ratio) {
    const double nominal = static_cast<double>(up_) / static_cast<double>(down_);
    if (!(std::abs(ratio / nominal - 1.0) <= most_deviation))
        throw std::invalid_argument("ratio must be within 5 % of to_hz / from_hz, " + std::to_string(nominal) +
                                    ", not " + std::to_string(ratio));
    if (!varies_) {
        varies_ = interpolates_ = true;
        position_.moment = static_cast<double>(position_.phase) / static_cast<double>(up_);
        make_rows(interpolated_phases);
    }
    target_step_ = 1.0 / ratio;
    step_change_ = (target_step_ - position_.step) / (0.01 * static_cast<double>(config_.to_hz));
}

void Resampler::Position::move(double target_step, double step_change) noexcept {
    if (step != target_step)
        step = std::abs(target_step - step) <= std::abs(step_change) ? target_step : step + step_change;
    moment += step;
    const auto whole = static_cast<std::ptrdiff_t>(moment);
    first += whole;
    moment -= static_cast<double>(whole);
}

std::size_t Resampler::varied_due(std::size_t count) const noexcept {
    const auto taps = static_cast<std::ptrdiff_t>(2 * filter_.half_taps());
    const auto reach = static_cast<std::ptrdiff_t>(filled_ + count) - taps;
    std::size_t outputs = 0;
    for (Position position = position_; position.first <= reach; ++outputs) position.move(target_step_, step_change_);
    return outputs;
}

std::size_t Resampler::due(std::size_t count, bool last) const noexcept {
    if (varies_) return varied_due(count);
    const std::uint64_t inputs = inputs_ + count;
    const std::uint64_t total = last ? (2 * inputs * up_ + down_) / (2 * down_) : inputs * up_ / down_;
    return static_cast<std::size_t>(total - outputs_);
}

float Resampler::interpolate(const float* inputs) const noexcept {
    if (!interpolates_) return kernel_->dot(inputs, rows_.data() + position_.phase * taps_, taps_);
    const double moment = varies_ ? position_.moment : static_cast<double>(position_.phase) / static_cast<double>(up_);
    const double at = moment * static_cast<double>(phases_);
    const auto row = static_cast<std::size_t>(at);
    const float* below = rows_.data() + row * taps_;
    return kernel_->dot_between(inputs, below, below + taps_, static_cast<float>(at - static_cast<double>(row)), taps_);
}

void Resampler::advance() noexcept {
    ++outputs_;
    if (varies_) {
        position_.move(target_step_, step_change_);
        return;
    }
    position_.phase += down_;
    position_.first += static_cast<std::ptrdiff_t>(position_.phase / up_);
    position_.phase %= up_;
}

template <typename Sample>
void Resampler::store(const Sample* in, std::size_t count) noexcept {
    const auto used = std::min(static_cast<std::size_t>(position_.first), filled_);
    for (std::size_t channel = 0; channel < config_.channels; ++channel) {
        float* history = history_.data() + channel * capacity_;
        std::move(history + used, history + filled_, history);
        for (std::size_t n = 0; n < count; ++n)
            history[filled_ - used + n] = to_float(in[n * config_.channels + channel]);
    }
    filled_ += count - used;
    position_.first -= static_cast<std::ptrdiff_t>(used);
    inputs_ += count;
}

template <typename Sample>
void Resampler::produce(Sample* out, std::size_t count) noexcept {
    for (std::size_t k = 0; k < count; ++k) {
        for (std::size_t channel = 0; channel < config_.channels; ++channel)
            *out++ = from_float<Sample>(interpolate(history_.data() + channel * capacity_ + position_.first));
        advance();
    }
}

template <typename Sample>
std::size_t Resampler::process(const Sample* in, std::size_t count, Sample* out, bool last) noexcept {
    std::size_t total = 0;
    while (count > 0) {
        const std::size_t piece = std::min(count, piece_samples);
        const std::size_t outputs = due(piece);
        store(in, piece);
        produce(out + total * config_.channels, outputs);
        in += piece * config_.channels;
        count -= piece;
        total += outputs;
    }
    if (last) {
        const std::size_t outputs = due(0, true);  // at most one: the half that rounding adds
        produce(out + total * config_.channels, outputs);
        total += outputs;
        reset();
    }
    return total;
}

template std::size_t Resampler::process(const float*, std::size_t, float*, bool) noexcept;
template std::size_t Resampler::process(const std::int16_t*, std::size_t, std::int16_t*, bool) noexcept;

}  // namespace spike
