#include "base/fft.hpp"

#include <cmath>
#include <numbers>
#include <stdexcept>
#include <string>
#include <utility>

namespace spike {
namespace {

struct Planar {
    const float* real;
    const float* imag;
};

struct PlanarOut {
    float* real;
    float* imag;
};

// One butterfly column: `radix` inputs that lie `step` apart, over `stride` neighbours, multiplied by the twiddles of
// this column on the way out. Each radix has its own body so that the inner loop over neighbours vectorises.
template <std::size_t Radix>
void butterfly(Planar in, std::size_t step, PlanarOut out, std::size_t stride, const float* wr,
               const float* wi) noexcept;

template <>
void butterfly<2>(Planar in, std::size_t step, PlanarOut out, std::size_t stride, const float* wr,
                  const float* wi) noexcept {
    for (std::size_t k = 0; k < stride; ++k) {
        const float ar = in.real[k], ai = in.imag[k], br = in.real[k + step], bi = in.imag[k + step];
        const float dr = ar - br, di = ai - bi;
        out.real[k] = ar + br;
        out.imag[k] = ai + bi;
        out.real[k + stride] = dr * wr[1] - di * wi[1];
        out.imag[k + stride] = dr * wi[1] + di * wr[1];
    }
}

template <>
void butterfly<3>(Planar in, std::size_t step, PlanarOut out, std::size_t stride, const float* wr,
                  const float* wi) noexcept {
    constexpr float half_sqrt3 = 0.86602540378443864676f;
    for (std::size_t k = 0; k < stride; ++k) {
        const float ar = in.real[k], ai = in.imag[k];
        const float br = in.real[k + step], bi = in.imag[k + step];
        const float cr = in.real[k + 2 * step], ci = in.imag[k + 2 * step];
        const float sr = br + cr, si = bi + ci;
        const float dr = half_sqrt3 * (bi - ci), di = half_sqrt3 * (cr - br);
        const float mr = ar - 0.5f * sr, mi = ai - 0.5f * si;
        const float xr = mr + dr, xi = mi + di, yr = mr - dr, yi = mi - di;
        out.real[k] = ar + sr;
        out.imag[k] = ai + si;
        out.real[k + stride] = xr * wr[1] - xi * wi[1];
        out.imag[k + stride] = xr * wi[1] + xi * wr[1];
        out.real[k + 2 * stride] = yr * wr[2] - yi * wi[2];
        out.imag[k + 2 * stride] = yr * wi[2] + yi * wr[2];
    }
}

template <>
void butterfly<4>(Planar in, std::size_t step, PlanarOut out, std::size_t stride, const float* wr,
                  const float* wi) noexcept {
    for (std::size_t k = 0; k < stride; ++k) {
        const float ar = in.real[k], ai = in.imag[k];
        const float br = in.real[k + step], bi = in.imag[k + step];
        const float cr = in.real[k + 2 * step], ci = in.imag[k + 2 * step];
        const float dr = in.real[k + 3 * step], di = in.imag[k + 3 * step];
        const float sr = ar + cr, si = ai + ci, tr = ar - cr, ti = ai - ci;
        const float ur = br + dr, ui = bi + di, vr = bi - di, vi = dr - br;  // v: (b - d) turned by -90 degrees
        out.real[k] = sr + ur;
        out.imag[k] = si + ui;
        const float x1r = tr + vr, x1i = ti + vi, x2r = sr - ur, x2i = si - ui, x3r = tr - vr, x3i = ti - vi;
        out.real[k + stride] = x1r * wr[1] - x1i * wi[1];
        out.imag[k + stride] = x1r * wi[1] + x1i * wr[1];
        out.real[k + 2 * stride] = x2r * wr[2] - x2i * wi[2];
        out.imag[k + 2 * stride] = x2r * wi[2] + x2i * wr[2];
        out.real[k + 3 * stride] = x3r * wr[3] - x3i * wi[3];
        out.imag[k + 3 * stride] = x3r * wi[3] + x3i * wr[3];
    }
}

// For 5 and 7, by the definition: such factors come once or twice in a plan.
template <std::size_t Radix>
void butterfly(Planar in, std::size_t step, PlanarOut out, std::size_t stride, const float* wr,
               const float* wi) noexcept {
    float cosine[Radix], sine[Radix];
    for (std::size_t t = 0; t < Radix; ++t) {
        const double angle = -2.0 * std::numbers::pi * static_cast<double>(t) / static_cast<double>(Radix);
        cosine[t] = static_cast<float>(std::cos(angle));
        sine[t] = static_cast<float>(std::sin(angle));
    }
    for (std::size_t u = 0; u < Radix; ++u) {
        for (std::size_t k = 0; k < stride; ++k) {
            float sum_real = 0.0f, sum_imag = 0.0f;
            for (std::size_t t = 0; t < Radix; ++t) {
                const std::size_t turn = t * u % Radix;
                const float xr = in.real[k + t * step], xi = in.imag[k + t * step];
                sum_real += xr * cosine[turn] - xi * sine[turn];
                sum_imag += xr * sine[turn] + xi * cosine[turn];
            }
            out.real[k + u * stride] = sum_real * wr[u] - sum_imag * wi[u];
            out.imag[k + u * stride] = sum_real * wi[u] + sum_imag * wr[u];
        }
    }
}

std::vector<std::size_t> factors_of(std::size_t length) {
    std::vector<std::size_t> factors;
    if (length == 0) return factors;
    for (const std::size_t radix : {7u, 5u, 3u, 4u, 2u}) {
        while (length % radix == 0) {
            factors.push_back(radix);
            length /= radix;
        }
    }
    if (length != 1) factors.clear();
    return factors;
}

}  // namespace

RealFft::RealFft(std::size_t size) : size_(size) {
    const std::size_t half = size / 2;
    const auto factors = factors_of(half);
    if (size % 2 != 0 || factors.empty())
        throw std::invalid_argument("the FFT size must be even and without a prime factor above 7, not " +
                                    std::to_string(size));
    std::size_t length = half, stride = 1;
    for (const std::size_t radix : factors) {
        const std::size_t count = length / radix;
        stages_.push_back({radix, count, stride, twiddle_real_.size()});
        for (std::size_t column = 0; column < count; ++column) {
            for (std::size_t u = 0; u < radix; ++u) {
                const double angle =
                    -2.0 * std::numbers::pi * static_cast<double>(column * u) / static_cast<double>(length);
                twiddle_real_.push_back(static_cast<float>(std::cos(angle)));
                twiddle_imag_.push_back(static_cast<float>(std::sin(angle)));
            }
        }
        length = count;
        stride *= radix;
    }
    for (std::size_t k = 0; k <= half; ++k) {
        const double angle = -2.0 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(size);
        unpack_real_.push_back(static_cast<float>(std::cos(angle)));
        unpack_imag_.push_back(static_cast<float>(std::sin(angle)));
    }
    for (auto* buffer : {&work_real_, &work_imag_, &next_real_, &next_imag_}) buffer->assign(half, 0.0f);
}

void RealFft::transform() noexcept {
    for (const Stage& stage : stages_) {
        const std::size_t step = stage.count * stage.stride;
        for (std::size_t column = 0; column < stage.count; ++column) {
            const std::size_t from = column * stage.stride, to = from * stage.radix;
            const float* wr = twiddle_real_.data() + stage.twiddle + column * stage.radix;
            const float* wi = twiddle_imag_.data() + stage.twiddle + column * stage.radix;
            const Planar in{work_real_.data() + from, work_imag_.data() + from};
            const PlanarOut out{next_real_.data() + to, next_imag_.data() + to};
            switch (stage.radix) {
                case 2: butterfly<2>(in, step, out, stage.stride, wr, wi); break;
                case 3: butterfly<3>(in, step, out, stage.stride, wr, wi); break;
                case 4: butterfly<4>(in, step, out, stage.stride, wr, wi); break;
                case 5: butterfly<5>(in, step, out, stage.stride, wr, wi); break;
                default: butterfly<7>(in, step, out, stage.stride, wr, wi); break;
            }
        }
        std::swap(work_real_, next_real_);
        std::swap(work_imag_, next_imag_);
    }
}

void RealFft::forward(std::span<const float> time, std::span<float> real, std::span<float> imag) noexcept {
    const std::size_t half = size_ / 2;
    for (std::size_t n = 0; n < half; ++n) {
        work_real_[n] = time[2 * n];
        work_imag_[n] = time[2 * n + 1];
    }
    transform();
    real[0] = work_real_[0] + work_imag_[0];
    real[half] = work_real_[0] - work_imag_[0];
    imag[0] = imag[half] = 0.0f;
    for (std::size_t k = 1; k < half; ++k) {
        const float er = 0.5f * (work_real_[k] + work_real_[half - k]);
        const float ei = 0.5f * (work_imag_[k] - work_imag_[half - k]);
        const float dr = 0.5f * (work_imag_[k] + work_imag_[half - k]);
        const float di = 0.5f * (work_real_[half - k] - work_real_[k]);
        real[k] = er + dr * unpack_real_[k] - di * unpack_imag_[k];
        imag[k] = ei + dr * unpack_imag_[k] + di * unpack_real_[k];
    }
}

void RealFft::inverse(std::span<const float> real, std::span<const float> imag, std::span<float> time) noexcept {
    // The inverse of the packing, on the conjugate: a forward transform of the conjugate is the inverse's conjugate.
    const std::size_t half = size_ / 2;
    for (std::size_t k = 0; k < half; ++k) {
        const float er = real[k] + real[half - k], ei = imag[k] - imag[half - k];
        const float dr = real[k] - real[half - k], di = imag[k] + imag[half - k];
        const float turned_real = dr * unpack_real_[k] + di * unpack_imag_[k];
        const float turned_imag = di * unpack_real_[k] - dr * unpack_imag_[k];
        work_real_[k] = er - turned_imag;
        work_imag_[k] = -(ei + turned_real);
    }
    transform();
    const float scale = 1.0f / static_cast<float>(size_);
    for (std::size_t n = 0; n < half; ++n) {
        time[2 * n] = work_real_[n] * scale;
        time[2 * n + 1] = -work_imag_[n] * scale;
    }
}

}  // namespace spike
