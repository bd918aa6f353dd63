#include "dsp/echo/adaptive_filter.hpp"

#include <algorithm>

#include "base/power.hpp"

namespace spike {
namespace {

// A filter that adds more echo than it takes away, for this factor of power, has lost the room.
constexpr float divergence_factor = 1.5f;
constexpr float energy_smoothing = 0.9f;

}  // namespace

AdaptiveFilter::AdaptiveFilter(const FarSpectra& far, const Config& config)
    : far_(&far),
      config_(config),
      kernels_(&partition_kernels(active_isa())),
      block_(far.block_samples()),
      bins_(far.bins()),
      fft_(2 * block_),
      model_(far),
      sum_(bins_),
      gain_(bins_),
      time_(2 * block_),
      least_growth_(far.partitions()) {
    for (auto* buffer : {&near_power_, &residual_, &expected_, &share_}) buffer->resize(bins_);
    const float lost = 1.0f - config.transition * config.transition;
    for (std::size_t partition = 0; partition < least_growth_.size(); ++partition)
        least_growth_[partition] = lost * config.least_uncertainty * PathModel::initial_variance(partition);
}

void AdaptiveFilter::reset() noexcept {
    std::fill(near_power_.begin(), near_power_.end(), 0.0f);
    std::fill(residual_.begin(), residual_.end(), 0.0f);
    model_.reset();
    state_ = {};
}

void AdaptiveFilter::predict_spectrum() noexcept {
    sum_.clear();
    std::fill(residual_.begin(), residual_.end(), 0.0f);
    predict(*far_, 0, 1, {sum_.real.data(), sum_.imag.data(), residual_.data()}, bins_);
}

void AdaptiveFilter::predict(const FarSpectra& other, std::size_t first, std::size_t step, Prediction sum,
                             std::size_t bins) noexcept {
    for (std::size_t channel = 0; channel < far_->channels(); ++channel)
        for (std::size_t partition = 0; partition < std::min(other.partitions(), far_->partitions()); ++partition)
            kernels_->predict(other.at(first + channel * step, partition).planar(),
                              model_.row(channel * far_->partitions() + partition), sum, bins);
}

void AdaptiveFilter::adapt(std::span<const float> error) noexcept {
    std::fill_n(time_.begin(), block_, 0.0f);
    std::copy(error.begin(), error.end(), time_.begin() + static_cast<std::ptrdiff_t>(block_));
    fft_.forward(time_, sum_);
    kernels_->weigh({sum_.view().planar(), residual_.data(), near_power_.data(), expected_.data(), gain_.real.data(),
                     gain_.imag.data(), share_.data()},
                    bins_);
    const Correction correction{gain_.real.data(), gain_.imag.data(), share_.data()};
    const float keep = config_.transition * config_.transition;
    const std::size_t partitions = far_->partitions();
    for (std::size_t index = 0; index < model_.rows(); ++index)
        kernels_->adapt(far_->at(index / partitions, index % partitions).planar(), model_.row(index), correction, keep,
                        least_growth_[index % partitions], bins_);
}

void AdaptiveFilter::constrain(std::size_t index) noexcept {
    // A partition's impulse response must not wrap around: its second half belongs to the next partition.
    const SpectrumSpan row = model_.spectrum(index);
    fft_.inverse(row, time_);
    std::fill(time_.begin() + static_cast<std::ptrdiff_t>(block_), time_.end(), 0.0f);
    fft_.forward(time_, row);
}

void AdaptiveFilter::recover_from_divergence(std::span<const float> microphone, std::span<float> error,
                                             std::span<float> echo) noexcept {
    state_.microphone_energy =
        energy_smoothing * state_.microphone_energy + (1.0f - energy_smoothing) * energy(microphone);
    state_.error_energy = energy_smoothing * state_.error_energy + (1.0f - energy_smoothing) * energy(error);
    if (state_.error_energy <= divergence_factor * state_.microphone_energy) return;
    model_.forget();
    predict_spectrum();  // the step is taken by the new variance
    std::copy(microphone.begin(), microphone.end(), error.begin());
    std::fill(echo.begin(), echo.end(), 0.0f);
    state_.error_energy = state_.microphone_energy;
}

void AdaptiveFilter::predict(std::span<const float> microphone, std::span<float> error,
                             std::span<float> echo) noexcept {
    predict_spectrum();
    fft_.inverse(sum_, time_);
    for (std::size_t n = 0; n < block_; ++n) {
        echo[n] = time_[block_ + n];
        error[n] = microphone[n] - echo[n];
    }
}

void AdaptiveFilter::learn(std::span<const float> microphone, std::span<float> error, std::span<float> echo) noexcept {
    recover_from_divergence(microphone, error, echo);
    adapt(error);
    for (std::size_t count = 0; count < config_.constrained_per_block; ++count) {
        constrain(state_.to_constrain);
        state_.to_constrain = (state_.to_constrain + 1) % model_.rows();
    }
}

void AdaptiveFilter::impulse_response(const PathModel& model, std::span<float> response) noexcept {
    const std::size_t partitions = far_->partitions();
    const float share = 1.0f / static_cast<float>(far_->channels());
    std::fill(response.begin(), response.end(), 0.0f);
    for (std::size_t index = 0; index < model.rows(); ++index) {
        fft_.inverse(model.spectrum(index), time_);
        const auto part = response.subspan(index % partitions * block_, block_);
        for (std::size_t n = 0; n < block_; ++n) part[n] += share * time_[n];
    }
}

}  // namespace spike
