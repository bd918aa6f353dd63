#include "dsp/echo/path_model.hpp"

#include <algorithm>
#include <cmath>

namespace spike {
namespace {

// Of a coefficient of the first block at the start; that of later ones falls as a room's reverberation does.
constexpr float first_variance = 4.0f;
constexpr float initial_decay = 0.8f;
constexpr float early_variance = 0.4f;  // of what a shift puts before the first block

}  // namespace

float PathModel::initial_variance(std::size_t partition) noexcept {
    return first_variance * std::pow(initial_decay, static_cast<float>(partition));
}

PathModel::PathModel(const FarSpectra& far)
    : bins_(far.bins()),
      partitions_(far.partitions()),
      rows_(far.channels() * far.partitions()),
      coefficients_(bins_, rows_),
      expected_(bins_, 1.0f),
      variance_(bins_ * rows_) {
    forget();
}

Coefficients PathModel::row(std::size_t index) noexcept {
    const PlanarOut coefficients = spectrum(index).planar();
    return {coefficients.real, coefficients.imag, variance_.data() + index * bins_};
}

void PathModel::forget() noexcept {
    coefficients_.clear();
    forget_certainty();
}

void PathModel::reset() noexcept {
    expect(1.0f);
    forget();
}

void PathModel::forget_certainty() noexcept {
    for (std::size_t row = 0; row < rows_; ++row) expect_anew(row, initial_variance(row % partitions_));
}

void PathModel::expect_anew(std::size_t row, float variance) noexcept {
    std::ranges::transform(expected_, variance_.begin() + static_cast<std::ptrdiff_t>(row * bins_),
                           [variance](float share) { return share * variance; });
}

void PathModel::expect_more(std::size_t begin, std::size_t end, float factor) noexcept {
    for (std::size_t k = begin; k < end; ++k) {
        expected_[k] *= factor;
        for (std::size_t row = 0; row < rows_; ++row) variance_[row * bins_ + k] *= factor;
    }
}

void PathModel::doubt(float share) noexcept {
    for (std::size_t at = 0; at < variance_.size(); ++at)
        variance_[at] = std::max(variance_[at], share * coefficients_.power(at));
}

void PathModel::shift(std::ptrdiff_t blocks) noexcept {
    const auto partitions = static_cast<std::ptrdiff_t>(partitions_), bins = static_cast<std::ptrdiff_t>(bins_);
    for (std::ptrdiff_t step = 0; step < static_cast<std::ptrdiff_t>(rows_) && blocks != 0; ++step) {
        // Moved rows are taken from the end that is still unread.
        const std::ptrdiff_t to = blocks > 0 ? step % partitions : partitions - 1 - step % partitions;
        const std::ptrdiff_t from = to + blocks, first = step / partitions * partitions;
        const bool known = from >= 0 && from < partitions;
        for (auto* values : {&coefficients_.real, &coefficients_.imag, &variance_}) {
            const auto target = values->begin() + (first + to) * bins;
            if (known)
                std::copy_n(values->begin() + (first + from) * bins, bins, target);
            else
                std::fill_n(target, bins, 0.0f);
        }
        if (!known)
            expect_anew(static_cast<std::size_t>(first + to),
                        blocks < 0 ? early_variance : initial_variance(static_cast<std::size_t>(to)));
    }
}

}  // namespace spike
