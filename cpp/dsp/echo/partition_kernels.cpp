// Compiled once per instruction set. The compiler believes __restrict on parameters only, hence the inner functions.
#include "dsp/echo/partition_kernels.hpp"

namespace spike::SPIKE_ISA {
namespace {

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

}  // namespace

const PartitionKernels partition_kernels_variant{&predict, &adapt};

}  // namespace spike::SPIKE_ISA
