// Compiled once per instruction set. The compiler believes __restrict on parameters only, hence the inner functions.
#include "base/fft_kernels.hpp"

#include <algorithm>

// Says that no turn of the loop reads what another writes: GCC cannot know that parts of an array which lie `stride`
// apart do not overlap, and takes one number at a time where a part is no longer than a register.
#if defined(__GNUC__) && !defined(__clang__)
#define SPIKE_NO_OVERLAP _Pragma("GCC ivdep")
#else
#define SPIKE_NO_OVERLAP
#endif

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
    SPIKE_NO_OVERLAP
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
    SPIKE_NO_OVERLAP
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
    SPIKE_NO_OVERLAP
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
        SPIKE_NO_OVERLAP
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

// What follows vectorises over bins where there is one lane, and over the lanes where there are many.

struct Complex {
    float real, imag;
};

// A bin from the packed transform at it and at its mirror image.
inline Complex unpacked(float wr, float wi, Complex z, Complex mirror) noexcept {
    const float er = 0.5f * (z.real + mirror.real);
    const float ei = 0.5f * (z.imag - mirror.imag);
    const float dr = 0.5f * (z.imag + mirror.imag);
    const float di = 0.5f * (mirror.real - z.real);
    return {er + dr * wr - di * wi, ei + dr * wi + di * wr};
}

// The inverse of the packing, on the conjugate: a forward transform of the conjugate is the inverse's conjugate.
inline Complex repacked(float wr, float wi, Complex bin, Complex mirror) noexcept {
    const float er = bin.real + mirror.real, ei = bin.imag - mirror.imag;
    const float dr = bin.real - mirror.real, di = bin.imag + mirror.imag;
    return {er - (di * wr - dr * wi), -(ei + dr * wr + di * wi)};
}

using Step = Complex (*)(float, float, Complex, Complex);

template <Step step>
void mirrored_bins(const float* __restrict wr, const float* __restrict wi, const float* __restrict inr,
                   const float* __restrict ini, float* __restrict outr, float* __restrict outi, std::size_t first,
                   std::size_t half) noexcept {
    for (std::size_t k = first; k < half; ++k) {
        const Complex made = step(wr[k], wi[k], {inr[k], ini[k]}, {inr[half - k], ini[half - k]});
        outr[k] = made.real;
        outi[k] = made.imag;
    }
}

template <Step step>
void mirrored_row(float wr, float wi, const float* __restrict inr, const float* __restrict ini,
                  const float* __restrict mirror_real, const float* __restrict mirror_imag, float* __restrict outr,
                  float* __restrict outi, std::size_t lanes) noexcept {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        const Complex made = step(wr, wi, {inr[lane], ini[lane]}, {mirror_real[lane], mirror_imag[lane]});
        outr[lane] = made.real;
        outi[lane] = made.imag;
    }
}

template <Step step>
void mirrored(PlanarIn turns, PlanarIn in, PlanarOut out, std::size_t first, std::size_t half,
              std::size_t lanes) noexcept {
    if (lanes == 1)
        return mirrored_bins<step>(turns.real, turns.imag, in.real, in.imag, out.real, out.imag, first, half);
    for (std::size_t k = first; k < half; ++k) {
        const std::size_t row = k * lanes, mirror = (half - k) * lanes;
        mirrored_row<step>(turns.real[k], turns.imag[k], in.real + row, in.imag + row, in.real + mirror,
                           in.imag + mirror, out.real + row, out.imag + row, lanes);
    }
}

void unpack(PlanarIn turns, PlanarIn packed, PlanarOut bins, std::size_t half, std::size_t lanes) noexcept {
    mirrored<&unpacked>(turns, packed, bins, 1, half, lanes);
}

void pack(PlanarIn turns, PlanarIn bins, PlanarOut packed, std::size_t half, std::size_t lanes) noexcept {
    mirrored<&repacked>(turns, bins, packed, 0, half, lanes);
}

void split_samples(const float* __restrict time, float* __restrict real, float* __restrict imag,
                   std::size_t half) noexcept {
    for (std::size_t n = 0; n < half; ++n) {
        real[n] = time[2 * n];
        imag[n] = time[2 * n + 1];
    }
}

void split(const float* time, PlanarOut packed, std::size_t half, std::size_t lanes) noexcept {
    if (lanes == 1) return split_samples(time, packed.real, packed.imag, half);
    for (std::size_t n = 0; n < half; ++n, time += 2 * lanes) {
        std::copy_n(time, lanes, packed.real + n * lanes);
        std::copy_n(time + lanes, lanes, packed.imag + n * lanes);
    }
}

void join_samples(const float* __restrict real, const float* __restrict imag, float scale, float* __restrict time,
                  std::size_t half) noexcept {
    for (std::size_t n = 0; n < half; ++n) {
        time[2 * n] = real[n] * scale;
        time[2 * n + 1] = -imag[n] * scale;
    }
}

void join_row(const float* __restrict real, const float* __restrict imag, float scale, float* __restrict time,
              std::size_t lanes) noexcept {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        time[lane] = real[lane] * scale;
        time[lanes + lane] = -imag[lane] * scale;
    }
}

void join(PlanarIn packed, float scale, float* time, std::size_t half, std::size_t lanes) noexcept {
    if (lanes == 1) return join_samples(packed.real, packed.imag, scale, time, half);
    for (std::size_t n = 0; n < half; ++n)
        join_row(packed.real + n * lanes, packed.imag + n * lanes, scale, time + 2 * n * lanes, lanes);
}

}  // namespace

const FftKernels fft_kernels_variant{&run_stage, &split, &join, &unpack, &pack};

}  // namespace spike::SPIKE_ISA
