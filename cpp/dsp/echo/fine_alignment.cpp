#include "dsp/echo/fine_alignment.hpp"

#include <algorithm>
#include <cmath>

#include "dsp/echo/decimated_lines.hpp"

namespace spike {
namespace {

constexpr std::size_t blocks = 8;

}  // namespace

FineAlignment::FineAlignment(const FarLine& line, const Config& config)
    : line_(&line),
      config_(config),
      fft_(quick_fft_size(blocks * config.block_samples + 2 * config.reach_samples + config.response_samples)),
      microphone_(blocks * config.block_samples),
      echo_(fft_.size()),
      time_(fft_.size()),
      far_(fft_.bins()),
      response_(fft_.bins()) {}

void FineAlignment::reset() noexcept { std::fill(microphone_.begin(), microphone_.end(), 0.0f); }

void FineAlignment::push(std::span<const float> microphone) noexcept {
    std::move(microphone_.begin() + static_cast<std::ptrdiff_t>(microphone.size()), microphone_.end(),
              microphone_.begin());
    std::copy(microphone.begin(), microphone.end(), microphone_.end() - static_cast<std::ptrdiff_t>(microphone.size()));
}

// echo_ ends `reach` samples after the microphone's newest: the far end is read by so much earlier.
void FineAlignment::predict(std::span<const float> response, double begin) noexcept {
    std::fill(time_.begin(), time_.end(), 0.0f);
    for (std::size_t channel = 0; channel < config_.channels; ++channel) {
        line_->read(channel, 0, begin - static_cast<double>(config_.reach_samples), 0.0, echo_);
        for (std::size_t n = 0; n < time_.size(); ++n) time_[n] += echo_[n] / static_cast<float>(config_.channels);
    }
    fft_.forward(time_, far_);
    std::fill(time_.begin(), time_.end(), 0.0f);
    std::copy(response.begin(), response.end(), time_.begin());
    fft_.forward(time_, response_);
    multiply(far_, response_);
    fft_.inverse(far_, echo_);
}

// `shift` 0 is the earliest.
float FineAlignment::likeness(std::size_t shift) const noexcept {
    const std::size_t count = microphone_.size();
    const float* echo = echo_.data() + echo_.size() - count - shift;
    float product = 0.0f, energy = 1e-12f;
    for (std::size_t n = 1; n < count; ++n) {
        const float step = echo[n] - echo[n - 1];
        product += step * (microphone_[n] - microphone_[n - 1]);
        energy += step * step;
    }
    return product / std::sqrt(energy);
}

double FineAlignment::best_shift(std::span<const float> response, double begin) noexcept {
    if (begin < static_cast<double>(config_.reach_samples)) return 0.0;
    predict(response, begin);
    std::size_t best = 0;
    float most = likeness(0);
    for (std::size_t shift = 1; shift <= 2 * config_.reach_samples; ++shift)
        if (const float here = likeness(shift); here > most) {
            most = here;
            best = shift;
        }
    return static_cast<double>(best) - static_cast<double>(config_.reach_samples);
}

}  // namespace spike
