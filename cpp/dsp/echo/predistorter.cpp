#include "dsp/echo/predistorter.hpp"

#include <algorithm>
#include <cmath>

namespace spike {
namespace {

// Each branch is zero below this share of the peak; the last is even.
constexpr std::array<float, Predistorter::branches> knots{0.2f, 0.45f, 0.1f};
constexpr std::size_t even_branch = 2;
constexpr float peak_decay = 0.99998f;  // of a block
constexpr std::size_t partitions = 8;   // of the echo path that are heard: most of its power
constexpr double memory = 0.999;        // of what was learned before, from time to time that it learns
constexpr double reluctance = 40.0;     // to bend anything: counts as so many bins full of branch against it
// So much has been heard, and no branch is worth more: then it listens for some blocks of each cycle.
constexpr double proven = 25.0 * reluctance;
constexpr float nearly_nothing = 0.05f;
constexpr std::size_t cycle_blocks = 72, listened_blocks = 24;
constexpr float least_weight = -1.0f, most_weight = 1.5f;
constexpr float importance_floor = 0.1f;  // of the mean of all bins
constexpr float power_floor = 1e-4f;
constexpr std::size_t first_bin = 2, most_bins = 161;  // up to 8 kHz
// A branch's echo is taken as the transform gives it, half of it wrapped around: it holds twice the power.
constexpr double kept_half = 0.5;

}  // namespace

Predistorter::Predistorter(std::size_t block_samples, std::size_t channels)
    : block_(block_samples),
      channels_(channels),
      spectra_(block_samples, partitions, channels * branches),
      bins_(std::min(spectra_.bins(), most_bins)),
      blocks_(channels * branches * block_samples),
      importance_(bins_),
      echoes_(bins_, branches) {}

void Predistorter::reset() noexcept {
    spectra_.reset();
    state_ = {};
}

void Predistorter::branch(std::size_t index, std::span<const float> samples, std::span<float> out) const noexcept {
    const float knot = knots[index] * state_.peak;
    if (index == even_branch) {
        for (std::size_t n = 0; n < out.size(); ++n) out[n] = std::max(std::abs(samples[n]) - knot, 0.0f);
    } else {
        for (std::size_t n = 0; n < out.size(); ++n) out[n] = samples[n] - std::min(std::max(samples[n], -knot), knot);
    }
}

void Predistorter::distort(std::span<float> samples) const noexcept {
    const float first = knots[0] * state_.peak, second = knots[1] * state_.peak,
                even = knots[even_branch] * state_.peak;
    for (float& sample : samples) {
        const float above_first = sample - std::min(std::max(sample, -first), first);
        const float above_second = sample - std::min(std::max(sample, -second), second);
        const float either = std::max(std::abs(sample) - even, 0.0f);
        sample -= state_.weights[0] * above_first + state_.weights[1] * above_second + state_.weights[2] * either;
    }
}

void Predistorter::process(std::span<float> far) noexcept {
    float peak = peak_decay * state_.peak;
    for (const float sample : far) peak = std::max(peak, std::abs(sample));
    state_.peak = peak;
    state_.cycle = (state_.cycle + 1) % cycle_blocks;
    state_.known_blocks = bends_nothing() && state_.cycle >= listened_blocks ? 0 : state_.known_blocks + 1;
    if (state_.known_blocks > 0) listen(far);
    distort(far);
}

bool Predistorter::bends_nothing() const noexcept {
    return state_.correlations[0][0] > proven &&
           std::ranges::all_of(state_.weights, [](float weight) { return std::abs(weight) < nearly_nothing; });
}

void Predistorter::listen(std::span<const float> far) noexcept {
    for (std::size_t row = 0; row < channels_ * branches; ++row)
        branch(row % branches, far.subspan(row / branches * block_, block_),
               std::span(blocks_).subspan(row * block_, block_));
    spectra_.push(blocks_);
}

void Predistorter::realign(const FarLine& line, double delay) noexcept {
    spectra_.realign([&](std::size_t row, std::size_t back, std::span<float> out) {
        line.read(row / branches, back, delay, 0.0, out);
        branch(row % branches, out, out);
    });
}

void Predistorter::hear(AdaptiveFilter& filter) noexcept {
    echoes_.clear();
    for (std::size_t index = 0; index < branches; ++index) {
        const PlanarOut echo = echoes_.row(index, bins_).planar();
        filter.predict(spectra_, index, branches, {echo.real, echo.imag, importance_.data()}, bins_);
    }
}

void Predistorter::regress(const AdaptiveFilter& filter) noexcept {
    const auto expected = filter.expected_power();
    float mean = 0.0f;
    for (std::size_t k = 0; k < bins_; ++k) mean += expected[k] / static_cast<float>(bins_);
    for (std::size_t k = first_bin; k < bins_; ++k)
        importance_[k] = 1.0f / (expected[k] + importance_floor * mean + power_floor);
    const auto product = [&](SpectrumView one, SpectrumView other) {
        float sum = 0.0f;
        for (std::size_t k = first_bin; k < bins_; ++k)
            sum += importance_[k] * (one.real[k] * other.real[k] + one.imag[k] * other.imag[k]);
        return static_cast<double>(sum);
    };
    std::array<Row, branches> now;
    for (std::size_t i = 0; i < branches; ++i) {
        const SpectrumView echo = echoes_.row(i, bins_);
        for (std::size_t j = 0; j < branches; ++j)
            now[i][j] = j < i ? now[j][i] : kept_half * product(echo, echoes_.row(j, bins_));
        now[i][branches] = product(echo, filter.error_spectrum());
    }
    for (std::size_t i = 0; i < branches; ++i) {
        // The error with nothing taken away: what is taken away now is added to it.
        for (std::size_t j = 0; j < branches; ++j) now[i][branches] -= state_.weights[j] * now[i][j];
        for (std::size_t j = 0; j <= branches; ++j)
            state_.correlations[i][j] = memory * state_.correlations[i][j] + now[i][j];
    }
}

// Gaussian elimination of a positive definite matrix.
std::array<double, Predistorter::branches> Predistorter::solution() const noexcept {
    auto rows = state_.correlations;
    std::array<double, branches> found{};
    for (std::size_t i = 0; i < branches; ++i) rows[i][i] += reluctance;
    for (std::size_t i = 0; i < branches; ++i)
        for (std::size_t below = i + 1; below < branches; ++below) {
            const double share = rows[below][i] / rows[i][i];
            for (std::size_t j = i; j <= branches; ++j) rows[below][j] -= share * rows[i][j];
        }
    for (std::size_t i = branches; i-- > 0;) {
        double sum = rows[i][branches];
        for (std::size_t j = i + 1; j < branches; ++j) sum -= rows[i][j] * found[j];
        found[i] = sum / rows[i][i];
    }
    return found;
}

void Predistorter::learn(const AdaptiveFilter& filter) noexcept {
    regress(filter);
    const auto found = solution();
    for (std::size_t i = 0; i < branches; ++i)
        state_.weights[i] = std::clamp(static_cast<float>(-found[i]), least_weight, most_weight);
}

}  // namespace spike
