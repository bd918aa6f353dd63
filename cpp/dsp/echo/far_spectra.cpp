#include "dsp/echo/far_spectra.hpp"

#include <algorithm>

namespace spike {

FarSpectra::FarSpectra(std::size_t block_samples, std::size_t partitions, std::size_t channels)
    : block_(block_samples),
      partitions_(partitions),
      channels_(channels),
      bins_(block_samples + 1),
      fft_(2 * block_samples),
      spectra_(bins_, channels * partitions),
      previous_(channels * block_samples),
      time_(2 * block_samples) {}

void FarSpectra::reset() noexcept {
    spectra_.clear();
    std::ranges::fill(previous_, 0.0f);
    newest_ = 0;
}

SpectrumView FarSpectra::at(std::size_t channel, std::size_t partition) const noexcept {
    return spectra_.row(channel * partitions_ + (newest_ + partition) % partitions_, bins_);
}

void FarSpectra::store(std::size_t channel, std::size_t partition) noexcept {
    fft_.forward(time_, spectra_.row(channel * partitions_ + (newest_ + partition) % partitions_, bins_));
}

void FarSpectra::push(std::span<const float> far) noexcept {
    newest_ = (newest_ + partitions_ - 1) % partitions_;
    for (std::size_t channel = 0; channel < channels_; ++channel) {
        const auto now = far.subspan(channel * block_, block_);
        const auto before = std::span(previous_).subspan(channel * block_, block_);
        std::copy(before.begin(), before.end(), time_.begin());
        std::copy(now.begin(), now.end(), time_.begin() + static_cast<std::ptrdiff_t>(block_));
        std::copy(now.begin(), now.end(), before.begin());
        store(channel, 0);
    }
}

void FarSpectra::remember(std::size_t channel) noexcept {
    std::copy_n(time_.begin() + static_cast<std::ptrdiff_t>(block_), block_,
                previous_.begin() + static_cast<std::ptrdiff_t>(channel * block_));
}

}  // namespace spike
