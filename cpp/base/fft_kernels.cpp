// Compiled once per instruction set. The compiler believes __restrict on parameters only, hence the inner functions.
#include "base/fft_kernels.hpp"

namespace spike::SPIKE_ISA {
namespace {

// Of the turns 0, -1/n, -2/n and so on.
constexpr float cosines_of_5[]{1.000000000f, 0.309016994f, -0.809016994f, -0.809016994f, 0.309016994f};
constexpr float sines_of_5[]{-0.000000000f, -0.951056516f, -0.587785252f, 0.587785252f, 0.951056516f};
constexpr float cosines_of_7[]{1.000000000f,  0.623489802f,  -0.222520934f, -0.900968868f,
                               -0.900968868f, -0.222520934f, 0.623489802f};
constexpr float sines_of_7[]{-0.000000000f, -0.781831482f, -0.974927912f, -0.433883739f,
                             0.433883739f,  0.974927912f,  0.781831482f};

// One butterfly column: `radix` inputs that lie `step` apart, over `stride` neighbours, multiplied by the twiddles of
// this column on the way out. Each radix has its own body so that the inner loop over neighbours vectorises.
template <std::size_t Radix>
void butterfly(const float* __restrict ir, const float* __restrict ii, std::size_t step, float* __restrict outr,
               float* __restrict outi, std::size_t stride, const float* wr, const float* wi) noexcept;

template <>
void butterfly<2>(const float* __restrict ir, const float* __restrict ii, std::size_t step, float* __restrict outr,
                  float* __restrict outi, std::size_t stride, const float* wr, const float* wi) noexcept {
    for (std::size_t k = 0; k < stride; ++k) {
        const float ar = ir[k], ai = ii[k], br = ir[k + step], bi = ii[k + step];
        const float dr = ar - br, di = ai - bi;
        outr[k] = ar + br;
        outi[k] = ai + bi;
        outr[k + stride] = dr * wr[1] - di * wi[1];
        outi[k + stride] = dr * wi[1] + di * wr[1];
    }
}

template <>
void butterfly<3>(const float* __restrict ir, const float* __restrict ii, std::size_t step, float* __restrict outr,
                  float* __restrict outi, std::size_t stride, const float* wr, const float* wi) noexcept {
    constexpr float half_sqrt3 = 0.86602540378443864676f;
    for (std::size_t k = 0; k < stride; ++k) {
        const float ar = ir[k], ai = ii[k];
        const float br = ir[k + step], bi = ii[k + step];
        const float cr = ir[k + 2 * step], ci = ii[k + 2 * step];
        const float sr = br + cr, si = bi + ci;
        const float dr = half_sqrt3 * (bi - ci), di = half_sqrt3 * (cr - br);
        const float mr = ar - 0.5f * sr, mi = ai - 0.5f * si;
        const float xr = mr + dr, xi = mi + di, yr = mr - dr, yi = mi - di;
        outr[k] = ar + sr;
        outi[k] = ai + si;
        outr[k + stride] = xr * wr[1] - xi * wi[1];
        outi[k + stride] = xr * wi[1] + xi * wr[1];
        outr[k + 2 * stride] = yr * wr[2] - yi * wi[2];
        outi[k + 2 * stride] = yr * wi[2] + yi * wr[2];
    }
}

template <>
void butterfly<4>(const float* __restrict ir, const float* __restrict ii, std::size_t step, float* __restrict outr,
                  float* __restrict outi, std::size_t stride, const float* wr, const float* wi) noexcept {
    for (std::size_t k = 0; k < stride; ++k) {
        const float ar = ir[k], ai = ii[k];
        const float br = ir[k + step], bi = ii[k + step];
        const float cr = ir[k + 2 * step], ci = ii[k + 2 * step];
        const float dr = ir[k + 3 * step], di = ii[k + 3 * step];
        const float sr = ar + cr, si = ai + ci, tr = ar - cr, ti = ai - ci;
        const float ur = br + dr, ui = bi + di, vr = bi - di, vi = dr - br;  // v: (b - d) turned by -90 degrees
        outr[k] = sr + ur;
        outi[k] = si + ui;
        const float x1r = tr + vr, x1i = ti + vi, x2r = sr - ur, x2i = si - ui, x3r = tr - vr, x3i = ti - vi;
        outr[k + stride] = x1r * wr[1] - x1i * wi[1];
        outi[k + stride] = x1r * wi[1] + x1i * wr[1];
        outr[k + 2 * stride] = x2r * wr[2] - x2i * wi[2];
        outi[k + 2 * stride] = x2r * wi[2] + x2i * wr[2];
        outr[k + 3 * stride] = x3r * wr[3] - x3i * wi[3];
        outi[k + 3 * stride] = x3r * wi[3] + x3i * wr[3];
    }
}

// For 5 and 7, by the definition: such factors come once or twice in a plan.
template <std::size_t Radix>
void butterfly(const float* __restrict ir, const float* __restrict ii, std::size_t step, float* __restrict outr,
               float* __restrict outi, std::size_t stride, const float* wr, const float* wi) noexcept {
    static_assert(Radix == 5 || Radix == 7);
    constexpr const float* cosine = Radix == 5 ? cosines_of_5 : cosines_of_7;
    constexpr const float* sine = Radix == 5 ? sines_of_5 : sines_of_7;
    for (std::size_t u = 0; u < Radix; ++u) {
        for (std::size_t k = 0; k < stride; ++k) {
            float sum_real = 0.0f, sum_imag = 0.0f;
            for (std::size_t t = 0; t < Radix; ++t) {
                const std::size_t turn = t * u % Radix;
                const float xr = ir[k + t * step], xi = ii[k + t * step];
                sum_real += xr * cosine[turn] - xi * sine[turn];
                sum_imag += xr * sine[turn] + xi * cosine[turn];
            }
            outr[k + u * stride] = sum_real * wr[u] - sum_imag * wi[u];
            outi[k + u * stride] = sum_real * wi[u] + sum_imag * wr[u];
        }
    }
}

template <std::size_t Radix>
void all_columns(const FftStage& stage, const float* wr, const float* wi, PlanarIn in, PlanarOut out) noexcept {
    const std::size_t step = stage.count * stage.stride;
    for (std::size_t column = 0; column < stage.count; ++column) {
        const std::size_t from = column * stage.stride, to = from * Radix;
        butterfly<Radix>(in.real + from, in.imag + from, step, out.real + to, out.imag + to, stage.stride,
                         wr + column * Radix, wi + column * Radix);
    }
}

void run_stage(const FftStage& stage, const float* wr, const float* wi, PlanarIn in, PlanarOut out) noexcept {
    switch (stage.radix) {
        case 2: all_columns<2>(stage, wr, wi, in, out); break;
        case 3: all_columns<3>(stage, wr, wi, in, out); break;
        case 4: all_columns<4>(stage, wr, wi, in, out); break;
        case 5: all_columns<5>(stage, wr, wi, in, out); break;
        default: all_columns<7>(stage, wr, wi, in, out); break;
    }
}

void unpack_bins(const float* __restrict wr, const float* __restrict wi, const float* __restrict zr,
                 const float* __restrict zi, float* __restrict real, float* __restrict imag,
                 std::size_t half) noexcept {
    for (std::size_t k = 1; k < half; ++k) {
        const float er = 0.5f * (zr[k] + zr[half - k]);
        const float ei = 0.5f * (zi[k] - zi[half - k]);
        const float dr = 0.5f * (zi[k] + zi[half - k]);
        const float di = 0.5f * (zr[half - k] - zr[k]);
        real[k] = er + dr * wr[k] - di * wi[k];
        imag[k] = ei + dr * wi[k] + di * wr[k];
    }
}

void unpack(PlanarIn turns, PlanarIn packed, PlanarOut bins, std::size_t half) noexcept {
    unpack_bins(turns.real, turns.imag, packed.real, packed.imag, bins.real, bins.imag, half);
}

// The inverse of the packing, on the conjugate: a forward transform of the conjugate is the inverse's conjugate.
void pack_bins(const float* __restrict wr, const float* __restrict wi, const float* __restrict real,
               const float* __restrict imag, float* __restrict zr, float* __restrict zi, std::size_t half) noexcept {
    for (std::size_t k = 0; k < half; ++k) {
        const float er = real[k] + real[half - k], ei = imag[k] - imag[half - k];
        const float dr = real[k] - real[half - k], di = imag[k] + imag[half - k];
        zr[k] = er - (di * wr[k] - dr * wi[k]);
        zi[k] = -(ei + dr * wr[k] + di * wi[k]);
    }
}

void pack(PlanarIn turns, PlanarIn bins, PlanarOut packed, std::size_t half) noexcept {
    pack_bins(turns.real, turns.imag, bins.real, bins.imag, packed.real, packed.imag, half);
}

void split_samples(const float* __restrict time, float* __restrict real, float* __restrict imag,
                   std::size_t half) noexcept {
    for (std::size_t n = 0; n < half; ++n) {
        real[n] = time[2 * n];
        imag[n] = time[2 * n + 1];
    }
}

void split(const float* time, PlanarOut packed, std::size_t half) noexcept {
    split_samples(time, packed.real, packed.imag, half);
}

void join_samples(const float* __restrict real, const float* __restrict imag, float scale, float* __restrict time,
                  std::size_t half) noexcept {
    for (std::size_t n = 0; n < half; ++n) {
        time[2 * n] = real[n] * scale;
        time[2 * n + 1] = -imag[n] * scale;
    }
}

void join(PlanarIn packed, float scale, float* time, std::size_t half) noexcept {
    join_samples(packed.real, packed.imag, scale, time, half);
}

}  // namespace

const FftKernels fft_kernels_variant{&run_stage, &split, &join, &unpack, &pack};

}  // namespace spike::SPIKE_ISA
