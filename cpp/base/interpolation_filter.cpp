#include "base/interpolation_filter.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace spike {
namespace {

struct Profile {
    double stopband_db;
    double passband, stopband;  // edges as shares of the lower rate
};

constexpr Profile profile_of(ResamplerQuality quality) {
    switch (quality) {
        case ResamplerQuality::mastering: return {164.0, 0.46, 0.54};
        case ResamplerQuality::fast: return {88.0, 0.448, 0.55};
        case ResamplerQuality::voice: break;
    }
    return {137.0, 0.4376, 0.55};
}

// The modified Bessel function of the first kind and order 0, by its power series.
double bessel_i0(double x) {
    double sum = 1.0, term = 1.0;
    for (int n = 1; term > 1e-18 * sum; ++n) {
        term *= (x / (2.0 * n)) * (x / (2.0 * n));
        sum += term;
    }
    return sum;
}

}  // namespace

InterpolationFilter::InterpolationFilter(int from_hz, int to_hz, ResamplerQuality quality) {
    const Profile profile = profile_of(quality);
    const double lower = static_cast<double>(std::min(from_hz, to_hz)) / static_cast<double>(from_hz);
    cutoff_ = 0.5 * (profile.passband + profile.stopband) * lower;
    beta_ = 0.1102 * (profile.stopband_db - 8.7);
    const double transition = 2.0 * std::numbers::pi * (profile.stopband - profile.passband) * lower;
    half_width_ = 0.5 * (profile.stopband_db - 8.0) / (2.285 * transition);
    half_taps_ = static_cast<std::size_t>(std::ceil(half_width_));
}

double InterpolationFilter::response(double time) const {
    const double edge = time / half_width_;
    if (std::abs(edge) >= 1.0) return 0.0;
    const double x = 2.0 * std::numbers::pi * cutoff_ * time;
    const double sinc = std::abs(x) < 1e-12 ? 1.0 : std::sin(x) / x;
    return sinc * bessel_i0(beta_ * std::sqrt(1.0 - edge * edge));
}

std::vector<double> InterpolationFilter::row(double moment) const {
    std::vector<double> row(2 * half_taps_);
    for (std::size_t tap = 0; tap < row.size(); ++tap)
        row[tap] = response(moment + static_cast<double>(half_taps_) - 1.0 - static_cast<double>(tap));
    const double sum = std::accumulate(row.begin(), row.end(), 0.0);
    for (double& value : row) value /= sum;
    return row;
}

}  // namespace spike
