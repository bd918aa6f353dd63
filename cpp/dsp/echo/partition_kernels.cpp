// Compiled once per instruction set. The compiler believes __restrict on parameters only, hence the inner functions.
#include "dsp/echo/partition_kernels.hpp"

#include <algorithm>

namespace spike::SPIKE_ISA {
namespace {

constexpr float near_power_smoothing = 0.8f;
// How much of the expected echo is taken out of the error's power to give the near end's.
constexpr float residual_share = 0.5f;
constexpr float near_weight = 2.0f;  // half of the transform is zeros: its bins hold half of the power
// How much of what a bin says is new: what neighbouring blocks and bins say is in part the same.
constexpr float learned_share = 0.35f;
constexpr float power_floor = 1e-6f;

void predict_bins(const float* __restrict xr, const float* __restrict xi, const float* __restrict wr,
                  const float* __restrict wi, const float* __restrict variance, float* __restrict yr,
                  float* __restrict yi, float* __restrict residual, std::size_t bins) noexcept {
    for (std::size_t k = 0; k < bins; ++k) {
        yr[k] += wr[k] * xr[k] - wi[k] * xi[k];
        yi[k] += wr[k] * xi[k] + wi[k] * xr[k];
        residual[k] += variance[k] * (xr[k] * xr[k] + xi[k] * xi[k]);
    }
}

void adapt_bins(const float* __restrict xr, const float* __restrict xi, const float* __restrict gr,
                const float* __restrict gi, const float* __restrict share, float* __restrict wr, float* __restrict wi,
                float* __restrict variance, float keep, float least, std::size_t bins) noexcept {
    for (std::size_t k = 0; k < bins; ++k) {
        const float p = variance[k];
        wr[k] += p * (xr[k] * gr[k] + xi[k] * gi[k]);
        wi[k] += p * (xr[k] * gi[k] - xi[k] * gr[k]);
        const float learned = p * (xr[k] * xr[k] + xi[k] * xi[k]) * share[k];
        variance[k] = keep * (1.0f - learned) * p + (1.0f - keep) * (wr[k] * wr[k] + wi[k] * wi[k]) + least;
    }
}

void predict(PlanarIn far, Coefficients w, Prediction sum, std::size_t bins) noexcept {
    predict_bins(far.real, far.imag, w.real, w.imag, w.variance, sum.real, sum.imag, sum.residual_power, bins);
}

void adapt(PlanarIn far, Coefficients w, Correction error, float keep, float least, std::size_t bins) noexcept {
    adapt_bins(far.real, far.imag, error.real, error.imag, error.share, w.real, w.imag, w.variance, keep, least, bins);
}

// What the microphone hears beside the echo bounds the step: its power is tracked on the error, and an onset counts at
// once.
void weigh_bins(const float* __restrict er, const float* __restrict ei, const float* __restrict residual,
                float* __restrict near_power, float* __restrict expected, float* __restrict gr, float* __restrict gi,
                float* __restrict share, std::size_t bins) noexcept {
    for (std::size_t k = 0; k < bins; ++k) {
        const float power = er[k] * er[k] + ei[k] * ei[k];
        const float smoothed = near_power_smoothing * near_power[k] + (1.0f - near_power_smoothing) * power;
        const float near = std::max(std::max(smoothed, power) - residual_share * residual[k], 0.0f);
        const float all = residual[k] + near_weight * near + power_floor;
        near_power[k] = smoothed;
        expected[k] = all;
        gr[k] = er[k] / all;
        gi[k] = ei[k] / all;
        share[k] = learned_share / all;
    }
}

void weigh(const Weighing& w, std::size_t bins) noexcept {
    weigh_bins(w.error.real, w.error.imag, w.residual_power, w.near_power, w.expected_power, w.real, w.imag, w.share,
               bins);
}

float between(const float* __restrict below, const float* __restrict above, float share,
              const float* __restrict samples, std::size_t taps) noexcept {
    float sums[side_by_side] = {};
    for (std::size_t tap = 0; tap < taps; tap += side_by_side)
        for (std::size_t i = 0; i < side_by_side; ++i)
            sums[i] += (below[tap + i] + share * (above[tap + i] - below[tap + i])) * samples[tap + i];
    float sum = 0.0f;
    for (const float part : sums) sum += part;
    return sum;
}

}  // namespace

const PartitionKernels partition_kernels_variant{&predict, &adapt, &weigh, &between};

}  // namespace spike::SPIKE_ISA
