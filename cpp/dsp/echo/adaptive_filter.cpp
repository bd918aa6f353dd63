#include "dsp/echo/adaptive_filter.hpp"

#include <algorithm>
#include <cmath>

namespace spike {
namespace {

// How much of a coefficient is expected to survive one block: the room changes slowly, but it does.
constexpr float transition = 0.9995f;
constexpr float initial_variance = 0.05f;
constexpr float near_power_smoothing = 0.8f;
constexpr float power_floor = 1e-6f;
// A filter that adds more echo than it takes away, for this factor of power, has lost the room.
constexpr float divergence_factor = 1.5f;
constexpr float energy_smoothing = 0.9f;
constexpr std::size_t constrained_per_block = 2;

float energy(std::span<const float> samples) noexcept {
    float sum = 0.0f;
    for (const float sample : samples) sum += sample * sample;
    return sum;
}

}  // namespace

void AdaptiveFilter::Spectra::resize(std::size_t rows, std::size_t bins) {
    real.assign(rows * bins, 0.0f);
    imag.assign(rows * bins, 0.0f);
}

void AdaptiveFilter::Spectra::clear() noexcept {
    std::fill(real.begin(), real.end(), 0.0f);
    std::fill(imag.begin(), imag.end(), 0.0f);
}

AdaptiveFilter::AdaptiveFilter(const Config& config)
    : config_(config),
      loops_(&partition_loops(active_isa())),
      fft_(2 * config.block_samples),
      bins_(fft_.bins()),
      history_rows_(config.max_delay_blocks + config.partitions) {
    far_.resize(config.far_channels * history_rows_, bins_);
    coefficients_.resize(config.far_channels * config.partitions, bins_);
    variance_.resize(config.far_channels * config.partitions * bins_);
    for (auto* buffer : {&near_power_, &residual_, &gain_real_, &gain_imag_, &share_, &sum_real_, &sum_imag_})
        buffer->resize(bins_);
    previous_far_.resize(config.far_channels * config.block_samples);
    time_.resize(2 * config.block_samples);
    reset();
}

void AdaptiveFilter::reset() noexcept {
    far_.clear();
    coefficients_.clear();
    std::fill(variance_.begin(), variance_.end(), initial_variance);
    for (auto* buffer : {&near_power_, &residual_, &previous_far_}) std::fill(buffer->begin(), buffer->end(), 0.0f);
    newest_ = delay_blocks_ = to_constrain_ = 0;
    microphone_power_ = error_power_ = 0.0f;
}

std::size_t AdaptiveFilter::far_row(std::size_t channel, std::size_t partition) const noexcept {
    return channel * history_rows_ + (newest_ + delay_blocks_ + partition) % history_rows_;
}

void AdaptiveFilter::store_far(std::span<const float> far) noexcept {
    const std::size_t block = config_.block_samples;
    newest_ = (newest_ + history_rows_ - 1) % history_rows_;
    for (std::size_t channel = 0; channel < config_.far_channels; ++channel) {
        const auto now = far.subspan(channel * block, block);
        const auto before = std::span(previous_far_).subspan(channel * block, block);
        std::copy(before.begin(), before.end(), time_.begin());
        std::copy(now.begin(), now.end(), time_.begin() + static_cast<std::ptrdiff_t>(block));
        std::copy(now.begin(), now.end(), before.begin());
        const std::size_t at = (channel * history_rows_ + newest_) * bins_;
        fft_.forward(time_, std::span(far_.real).subspan(at, bins_), std::span(far_.imag).subspan(at, bins_));
    }
}

template <typename Visit>
void AdaptiveFilter::for_each_partition(Visit&& visit) noexcept {
    for (std::size_t channel = 0; channel < config_.far_channels; ++channel) {
        for (std::size_t partition = 0; partition < config_.partitions; ++partition) {
            const std::size_t far = far_row(channel, partition) * bins_;
            const std::size_t row = (channel * config_.partitions + partition) * bins_;
            visit(
                FarSpectrum{far_.real.data() + far, far_.imag.data() + far},
                Coefficients{coefficients_.real.data() + row, coefficients_.imag.data() + row, variance_.data() + row});
        }
    }
}

void AdaptiveFilter::predict() noexcept {
    std::fill(sum_real_.begin(), sum_real_.end(), 0.0f);
    std::fill(sum_imag_.begin(), sum_imag_.end(), 0.0f);
    std::fill(residual_.begin(), residual_.end(), 0.0f);
    const Prediction sum{sum_real_.data(), sum_imag_.data(), residual_.data()};
    for_each_partition([&](FarSpectrum far, Coefficients w) { loops_->predict(far, w, sum, bins_); });
}

void AdaptiveFilter::adapt() noexcept {
    // sum_ holds the error's spectrum. What the microphone hears beside the echo bounds the step: its power is tracked
    // on the error, and an onset counts at once.
    for (std::size_t k = 0; k < bins_; ++k) {
        const float power = sum_real_[k] * sum_real_[k] + sum_imag_[k] * sum_imag_[k];
        near_power_[k] = near_power_smoothing * near_power_[k] + (1.0f - near_power_smoothing) * power;
        const float denominator = residual_[k] + 2.0f * std::max(near_power_[k], power) + power_floor;
        gain_real_[k] = sum_real_[k] / denominator;
        gain_imag_[k] = sum_imag_[k] / denominator;
        share_[k] = 0.5f / denominator;
    }
    const Correction error{gain_real_.data(), gain_imag_.data(), share_.data()};
    for_each_partition(
        [&](FarSpectrum far, Coefficients w) { loops_->adapt(far, w, error, transition * transition, bins_); });
}

void AdaptiveFilter::constrain(std::size_t row) noexcept {
    // A partition's impulse response must not wrap around: its second half belongs to the next partition.
    const auto real = std::span(coefficients_.real).subspan(row * bins_, bins_);
    const auto imag = std::span(coefficients_.imag).subspan(row * bins_, bins_);
    fft_.inverse(real, imag, time_);
    std::fill(time_.begin() + static_cast<std::ptrdiff_t>(config_.block_samples), time_.end(), 0.0f);
    fft_.forward(time_, real, imag);
}

void AdaptiveFilter::recover_from_divergence(std::span<const float> microphone, std::span<float> error) noexcept {
    microphone_power_ = energy_smoothing * microphone_power_ + (1.0f - energy_smoothing) * energy(microphone);
    error_power_ = energy_smoothing * error_power_ + (1.0f - energy_smoothing) * energy(error);
    if (error_power_ <= divergence_factor * microphone_power_) return;
    coefficients_.clear();
    std::fill(variance_.begin(), variance_.end(), initial_variance);
    std::copy(microphone.begin(), microphone.end(), error.begin());
    error_power_ = microphone_power_;
}

void AdaptiveFilter::process(std::span<const float> microphone, std::span<const float> far, std::span<float> error,
                             std::span<float> echo) noexcept {
    const std::size_t block = config_.block_samples;
    store_far(far);
    predict();
    fft_.inverse(sum_real_, sum_imag_, time_);
    for (std::size_t n = 0; n < block; ++n) {
        echo[n] = time_[block + n];
        error[n] = microphone[n] - echo[n];
    }
    recover_from_divergence(microphone, error);
    std::fill_n(time_.begin(), block, 0.0f);
    std::copy(error.begin(), error.end(), time_.begin() + static_cast<std::ptrdiff_t>(block));
    fft_.forward(time_, sum_real_, sum_imag_);
    adapt();
    for (std::size_t count = 0; count < constrained_per_block; ++count) {
        constrain(to_constrain_);
        to_constrain_ = (to_constrain_ + 1) % (config_.far_channels * config_.partitions);
    }
}

void AdaptiveFilter::set_delay_blocks(std::size_t blocks) noexcept {
    blocks = std::min(blocks, config_.max_delay_blocks);
    if (blocks == delay_blocks_) return;
    const auto partitions = static_cast<std::ptrdiff_t>(config_.partitions);
    const std::ptrdiff_t shift = static_cast<std::ptrdiff_t>(blocks) - static_cast<std::ptrdiff_t>(delay_blocks_);
    const bool forward = shift > 0;
    for (std::ptrdiff_t step = 0; step < partitions * static_cast<std::ptrdiff_t>(config_.far_channels); ++step) {
        const std::ptrdiff_t channel = step / partitions;
        const std::ptrdiff_t to = forward ? step % partitions : partitions - 1 - step % partitions;
        const std::ptrdiff_t from = to + shift;
        const bool known = from >= 0 && from < partitions;
        const auto bins = static_cast<std::ptrdiff_t>(bins_);
        const std::ptrdiff_t target = (channel * partitions + to) * bins;
        const std::ptrdiff_t source = (channel * partitions + from) * bins;
        for (auto* values : {&coefficients_.real, &coefficients_.imag, &variance_}) {
            if (known)
                std::copy_n(values->begin() + source, bins, values->begin() + target);
            else
                std::fill_n(values->begin() + target, bins, values == &variance_ ? initial_variance : 0.0f);
        }
    }
    delay_blocks_ = blocks;
}

}  // namespace spike
