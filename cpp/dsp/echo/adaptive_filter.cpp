#include "dsp/echo/adaptive_filter.hpp"

#include <algorithm>
#include <cmath>

namespace spike {
namespace {

// Of a coefficient of the first block at the start; that of later ones falls as a room's reverberation does.
constexpr float initial_variance = 4.0f;
constexpr float initial_decay = 0.8f;
constexpr float early_variance = 0.4f;  // of what a shift puts before the first block
constexpr float near_power_smoothing = 0.8f;
// How much of the expected echo is taken out of the error's power to give the near end's.
constexpr float residual_share = 0.5f;
constexpr float near_weight = 2.0f;  // half of the transform is zeros: its bins hold half of the power
// How much of what a bin says is new: what neighbouring blocks and bins say is in part the same.
constexpr float learned_share = 0.35f;
constexpr float power_floor = 1e-6f;
// A filter that adds more echo than it takes away, for this factor of power, has lost the room.
constexpr float divergence_factor = 1.5f;
constexpr float energy_smoothing = 0.9f;

float energy(std::span<const float> samples) noexcept {
    float sum = 0.0f;
    for (const float sample : samples) sum += sample * sample;
    return sum;
}

float initial_variance_of(std::size_t partition) noexcept {
    return initial_variance * std::pow(initial_decay, static_cast<float>(partition));
}

}  // namespace

AdaptiveFilter::AdaptiveFilter(const FarSpectra& far, const Config& config)
    : far_(&far),
      config_(config),
      loops_(&partition_loops(active_isa())),
      block_(far.block_samples()),
      bins_(far.bins()),
      rows_(far.channels() * far.partitions()),
      fft_(2 * block_),
      real_(rows_ * bins_),
      imag_(rows_ * bins_),
      variance_(rows_ * bins_),
      time_(2 * block_) {
    for (auto* buffer :
         {&near_power_, &residual_, &expected_, &gain_real_, &gain_imag_, &share_, &sum_real_, &sum_imag_})
        buffer->resize(bins_);
    reset();
}

void AdaptiveFilter::reset() noexcept {
    std::fill(near_power_.begin(), near_power_.end(), 0.0f);
    std::fill(residual_.begin(), residual_.end(), 0.0f);
    to_constrain_ = 0;
    microphone_power_ = error_power_ = 0.0f;
    forget();
}

void AdaptiveFilter::forget() noexcept {
    std::fill(real_.begin(), real_.end(), 0.0f);
    std::fill(imag_.begin(), imag_.end(), 0.0f);
    forget_certainty();
}

void AdaptiveFilter::forget_certainty() noexcept {
    for (std::size_t row = 0; row < rows_; ++row)
        std::fill_n(variance_.begin() + static_cast<std::ptrdiff_t>(row * bins_), bins_,
                    initial_variance_of(row % far_->partitions()));
}

void AdaptiveFilter::doubt(float share) noexcept {
    for (std::size_t at = 0; at < real_.size(); ++at)
        variance_[at] = std::max(variance_[at], share * (real_[at] * real_[at] + imag_[at] * imag_[at]));
}

void AdaptiveFilter::learn_from(const AdaptiveFilter& other, bool with_variance) noexcept {
    std::copy(other.real_.begin(), other.real_.end(), real_.begin());
    std::copy(other.imag_.begin(), other.imag_.end(), imag_.begin());
    if (with_variance) std::copy(other.variance_.begin(), other.variance_.end(), variance_.begin());
}

Coefficients AdaptiveFilter::row(std::size_t index) noexcept {
    const std::size_t at = index * bins_;
    return {real_.data() + at, imag_.data() + at, variance_.data() + at};
}

void AdaptiveFilter::predict() noexcept {
    std::fill(sum_real_.begin(), sum_real_.end(), 0.0f);
    std::fill(sum_imag_.begin(), sum_imag_.end(), 0.0f);
    std::fill(residual_.begin(), residual_.end(), 0.0f);
    predict(*far_, 0, 1, {sum_real_.data(), sum_imag_.data(), residual_.data()}, bins_);
}

void AdaptiveFilter::predict(const FarSpectra& other, std::size_t first, std::size_t step, Prediction sum,
                             std::size_t bins) noexcept {
    for (std::size_t channel = 0; channel < far_->channels(); ++channel)
        for (std::size_t partition = 0; partition < std::min(other.partitions(), far_->partitions()); ++partition)
            loops_->predict(other.at(first + channel * step, partition), row(channel * far_->partitions() + partition),
                            sum, bins);
}

void AdaptiveFilter::adapt(std::span<const float> error) noexcept {
    std::fill_n(time_.begin(), block_, 0.0f);
    std::copy(error.begin(), error.end(), time_.begin() + static_cast<std::ptrdiff_t>(block_));
    fft_.forward(time_, sum_real_, sum_imag_);
    // What the microphone hears beside the echo bounds the step: its power is tracked on the error, and an onset counts
    // at once.
    for (std::size_t k = 0; k < bins_; ++k) {
        const float power = sum_real_[k] * sum_real_[k] + sum_imag_[k] * sum_imag_[k];
        near_power_[k] = near_power_smoothing * near_power_[k] + (1.0f - near_power_smoothing) * power;
        const float near = std::max(std::max(near_power_[k], power) - residual_share * residual_[k], 0.0f);
        expected_[k] = residual_[k] + near_weight * near + power_floor;
        gain_real_[k] = sum_real_[k] / expected_[k];
        gain_imag_[k] = sum_imag_[k] / expected_[k];
        share_[k] = learned_share / expected_[k];
    }
    const Correction correction{gain_real_.data(), gain_imag_.data(), share_.data()};
    const float keep = config_.transition * config_.transition;
    for (std::size_t index = 0; index < rows_; ++index)
        loops_->adapt(far_->at(index / far_->partitions(), index % far_->partitions()), row(index), correction, keep,
                      bins_);
}

void AdaptiveFilter::constrain(std::size_t index) noexcept {
    // A partition's impulse response must not wrap around: its second half belongs to the next partition.
    const auto real = std::span(real_).subspan(index * bins_, bins_);
    const auto imag = std::span(imag_).subspan(index * bins_, bins_);
    fft_.inverse(real, imag, time_);
    std::fill(time_.begin() + static_cast<std::ptrdiff_t>(block_), time_.end(), 0.0f);
    fft_.forward(time_, real, imag);
}

void AdaptiveFilter::recover_from_divergence(std::span<const float> microphone, std::span<float> error,
                                             std::span<float> echo) noexcept {
    microphone_power_ = energy_smoothing * microphone_power_ + (1.0f - energy_smoothing) * energy(microphone);
    error_power_ = energy_smoothing * error_power_ + (1.0f - energy_smoothing) * energy(error);
    if (error_power_ <= divergence_factor * microphone_power_) return;
    forget();
    predict();  // the step is taken by the new variance
    std::copy(microphone.begin(), microphone.end(), error.begin());
    std::fill(echo.begin(), echo.end(), 0.0f);
    error_power_ = microphone_power_;
}

void AdaptiveFilter::process(std::span<const float> microphone, std::span<float> error,
                             std::span<float> echo) noexcept {
    predict();
    fft_.inverse(sum_real_, sum_imag_, time_);
    for (std::size_t n = 0; n < block_; ++n) {
        echo[n] = time_[block_ + n];
        error[n] = microphone[n] - echo[n];
    }
    recover_from_divergence(microphone, error, echo);
    adapt(error);
    for (std::size_t count = 0; count < config_.constrained_per_block; ++count) {
        constrain(to_constrain_);
        to_constrain_ = (to_constrain_ + 1) % rows_;
    }
}

void AdaptiveFilter::impulse_response(std::span<float> response) noexcept {
    const std::size_t partitions = far_->partitions();
    const float share = 1.0f / static_cast<float>(far_->channels());
    std::fill(response.begin(), response.end(), 0.0f);
    for (std::size_t index = 0; index < rows_; ++index) {
        fft_.inverse(std::span(real_).subspan(index * bins_, bins_), std::span(imag_).subspan(index * bins_, bins_),
                     time_);
        const auto part = response.subspan(index % partitions * block_, block_);
        for (std::size_t n = 0; n < block_; ++n) part[n] += share * time_[n];
    }
}

void AdaptiveFilter::shift(std::ptrdiff_t blocks) noexcept {
    const auto partitions = static_cast<std::ptrdiff_t>(far_->partitions());
    const auto bins = static_cast<std::ptrdiff_t>(bins_);
    const auto channels = static_cast<std::ptrdiff_t>(far_->channels());
    for (std::ptrdiff_t step = 0; step < partitions * channels && blocks != 0; ++step) {
        // Moved rows are taken from the end that is still unread.
        const std::ptrdiff_t to = blocks > 0 ? step % partitions : partitions - 1 - step % partitions;
        const std::ptrdiff_t from = to + blocks, first = step / partitions * partitions;
        const bool known = from >= 0 && from < partitions;
        const float new_variance = blocks < 0 ? early_variance : initial_variance_of(static_cast<std::size_t>(to));
        for (auto* values : {&real_, &imag_, &variance_}) {
            const auto target = values->begin() + (first + to) * bins;
            if (known)
                std::copy_n(values->begin() + (first + from) * bins, bins, target);
            else
                std::fill_n(target, bins, values == &variance_ ? new_variance : 0.0f);
        }
    }
}

}  // namespace spike
