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

struct Complex {
    float real, imag;
};

inline Complex operator+(Complex a, Complex b) noexcept { return {a.real + b.real, a.imag + b.imag}; }
inline Complex operator-(Complex a, Complex b) noexcept { return {a.real - b.real, a.imag - b.imag}; }
inline Complex operator*(float share, Complex a) noexcept { return {share * a.real, share * a.imag}; }
inline Complex operator*(Complex a, Complex b) noexcept {
    return {a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real};
}
inline Complex turned_back(Complex a) noexcept { return {a.imag, -a.real}; }  // by 90 degrees

// The transform of `Radix` values in place.
template <std::size_t Radix>
void transform(Complex (&x)[Radix]) noexcept;

template <>
inline void transform<2>(Complex (&x)[2]) noexcept {
    const Complex difference = x[0] - x[1];
    x[0] = x[0] + x[1];
    x[1] = difference;
}

template <>
inline void transform<3>(Complex (&x)[3]) noexcept {
    constexpr float half_sqrt3 = 0.86602540378443864676f;
    const Complex sum = x[1] + x[2], turned = half_sqrt3 * turned_back(x[1] - x[2]);
    const Complex middle = x[0] - 0.5f * sum;
    x[0] = x[0] + sum;
    x[1] = middle + turned;
    x[2] = middle - turned;
}

template <>
inline void transform<4>(Complex (&x)[4]) noexcept {
    const Complex s = x[0] + x[2], t = x[0] - x[2], u = x[1] + x[3], v = turned_back(x[1] - x[3]);
    x[0] = s + u;
    x[1] = t + v;
    x[2] = s - u;
    x[3] = t - v;
}

// Of an odd number: what lies symmetric is added and subtracted first.
template <>
inline void transform<5>(Complex (&x)[5]) noexcept {
    constexpr float c1 = 0.309016994f, c2 = -0.809016994f, s1 = 0.951056516f, s2 = 0.587785252f;
    const Complex a1 = x[1] + x[4], a2 = x[2] + x[3];
    const Complex b1 = turned_back(x[1] - x[4]), b2 = turned_back(x[2] - x[3]);
    const Complex m1 = x[0] + c1 * a1 + c2 * a2, m2 = x[0] + c2 * a1 + c1 * a2;
    const Complex n1 = s1 * b1 + s2 * b2, n2 = s2 * b1 - s1 * b2;
    x[0] = x[0] + a1 + a2;
    x[1] = m1 + n1;
    x[2] = m2 + n2;
    x[3] = m2 - n2;
    x[4] = m1 - n1;
}

template <>
inline void transform<7>(Complex (&x)[7]) noexcept {
    constexpr float c1 = 0.623489802f, c2 = -0.222520934f, c3 = -0.900968868f;
    constexpr float s1 = 0.781831482f, s2 = 0.974927912f, s3 = 0.433883739f;
    const Complex a1 = x[1] + x[6], a2 = x[2] + x[5], a3 = x[3] + x[4];
    const Complex b1 = turned_back(x[1] - x[6]), b2 = turned_back(x[2] - x[5]), b3 = turned_back(x[3] - x[4]);
    const Complex m1 = x[0] + c1 * a1 + c2 * a2 + c3 * a3, n1 = s1 * b1 + s2 * b2 + s3 * b3;
    const Complex m2 = x[0] + c2 * a1 + c3 * a2 + c1 * a3, n2 = s2 * b1 - s3 * b2 - s1 * b3;
    const Complex m3 = x[0] + c3 * a1 + c1 * a2 + c2 * a3, n3 = s3 * b1 - s1 * b2 + s2 * b3;
    x[0] = x[0] + a1 + a2 + a3;
    x[1] = m1 + n1;
    x[2] = m2 + n2;
    x[3] = m3 + n3;
    x[4] = m3 - n3;
    x[5] = m2 - n2;
    x[6] = m1 - n1;
}

// Butterflies side by side, `count` of them: their inputs lie `step` apart, and what comes out is multiplied by
// twiddles. The neighbours of one column share its twiddles, and each output of theirs lies together. The columns of a
// single transform's first stage, which are one value wide and so each other's neighbours, have twiddles and outputs of
// their own (`Narrow`).
template <std::size_t Radix, bool Narrow>
inline void butterflies(const float* __restrict ir, const float* __restrict ii, std::size_t step,
                        float* __restrict outr, float* __restrict outi, std::size_t count, const float* __restrict wr,
                        const float* __restrict wi) noexcept {
    SPIKE_NO_OVERLAP
    for (std::size_t k = 0; k < count; ++k) {
        const auto out = [&](std::size_t u) { return Narrow ? Radix * k + u : k + u * count; };
        Complex x[Radix];
        for (std::size_t t = 0; t < Radix; ++t) x[t] = {ir[k + t * step], ii[k + t * step]};
        transform<Radix>(x);
        outr[out(0)] = x[0].real;
        outi[out(0)] = x[0].imag;
        for (std::size_t u = 1; u < Radix; ++u) {
            const std::size_t twiddle = Narrow ? u * count + k : u;
            const Complex turned = x[u] * Complex{wr[twiddle], wi[twiddle]};
            outr[out(u)] = turned.real;
            outi[out(u)] = turned.imag;
        }
    }
}

template <std::size_t Radix>
void all_columns(const FftStage& stage, const float* wr, const float* wi, PlanarIn in, PlanarOut out) noexcept {
    if (stage.stride == 1)
        return butterflies<Radix, true>(in.real, in.imag, stage.count, out.real, out.imag, stage.count, wr, wi);
    const std::size_t step = stage.count * stage.stride;
    const auto run = [&](std::size_t stride) {
        for (std::size_t at = 0; at < stage.count; ++at) {
            const std::size_t from = at * stride, to = from * Radix;
            butterflies<Radix, false>(in.real + from, in.imag + from, step, out.real + to, out.imag + to, stride,
                                      wr + at * Radix, wi + at * Radix);
        }
    };
    if (stage.stride == 4) return run(4);  // after a first stage of 4: too short for a loop
    run(stage.stride);
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
