// Compiled once per instruction set.
#include "dsp/neural/neural_kernels.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>
#include <utility>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace spike::SPIKE_ISA {
namespace {

// Sums of a block of rows: what `multiply_blocks` needs of the instruction set. `add` takes a step: as many columns of
// all the rows, and inputs, as 32 bits hold of `Input`.
#if defined(__AVX512VNNI__)
using Input = std::int8_t;
struct Sums {
    __m512i all = _mm512_setzero_si512();
    struct Weights {
        __m512i all;
        // Two pairs of columns: their words go together row by row. The product wants one side without a sign, so that
        // weights get 128 more.
        explicit Weights(const std::int8_t* from) noexcept
            : all(_mm512_xor_si512(_mm512_permutexvar_epi16(pairs_together(), _mm512_loadu_si512(from)),
                                   _mm512_set1_epi8(static_cast<char>(0x80)))) {}
        static __m512i pairs_together() noexcept {
            const __m512i rows = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
            return _mm512_or_si512(rows, _mm512_slli_epi32(_mm512_add_epi32(rows, _mm512_set1_epi32(16)), 16));
        }
    };
    void add(const Weights& weights, std::int32_t step) noexcept {
        all = _mm512_dpbusd_epi32(all, weights.all, _mm512_set1_epi32(step));
    }
    // `of_inputs` is their sum, of which the weights have taken 128 times too much.
    void store(std::int32_t* to, std::int32_t of_inputs) const noexcept {
        _mm512_storeu_si512(to, _mm512_sub_epi32(all, _mm512_set1_epi32(128 * of_inputs)));
    }
};
#elif defined(__AVX2__)
using Input = std::int16_t;
struct Sums {
    __m256i half[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    struct Weights {
        __m256i half[2];
        explicit Weights(const std::int8_t* from) noexcept
            : half{_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))),
                   _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 16)))} {}
    };
    void add(const Weights& weights, std::int32_t pair) noexcept {
        const __m256i inputs = _mm256_set1_epi32(pair);
        for (std::size_t i = 0; i < 2; ++i)
            half[i] = _mm256_add_epi32(half[i], _mm256_madd_epi16(weights.half[i], inputs));
    }
    void store(std::int32_t* to, std::int32_t) const noexcept {
        for (std::size_t i = 0; i < 2; ++i) _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 8 * i), half[i]);
    }
};
#elif defined(__SSE2__) || defined(_M_X64)
using Input = std::int16_t;
struct Sums {
    __m128i quarter[4] = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
    struct Weights {
        __m128i quarter[4];
        explicit Weights(const std::int8_t* from) noexcept {
            for (std::size_t i = 0; i < 2; ++i) {
                const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 16 * i));
                quarter[2 * i] = _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
                quarter[2 * i + 1] = _mm_srai_epi16(_mm_unpackhi_epi8(bytes, bytes), 8);
            }
        }
    };
    void add(const Weights& weights, std::int32_t pair) noexcept {
        const __m128i inputs = _mm_set1_epi32(pair);
        for (std::size_t i = 0; i < 4; ++i)
            quarter[i] = _mm_add_epi32(quarter[i], _mm_madd_epi16(weights.quarter[i], inputs));
    }
    void store(std::int32_t* to, std::int32_t) const noexcept {
        for (std::size_t i = 0; i < 4; ++i) _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 4 * i), quarter[i]);
    }
};
#elif defined(__ARM_NEON)
using Input = std::int16_t;
struct Sums {
    int32x4_t quarter[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    struct Weights {
        int16x8x2_t half[2];  // even and odd columns of eight rows
        explicit Weights(const std::int8_t* from) noexcept {
            for (std::size_t i = 0; i < 2; ++i) {
                const int8x8x2_t bytes = vld2_s8(from + 16 * i);
                half[i] = {vmovl_s8(bytes.val[0]), vmovl_s8(bytes.val[1])};
            }
        }
    };
    void add(const Weights& weights, std::int32_t pair) noexcept {
        const auto even = static_cast<std::int16_t>(pair), odd = static_cast<std::int16_t>(pair >> 16);
        for (std::size_t i = 0; i < 2; ++i) {
            int32x4_t& low = quarter[2 * i];
            int32x4_t& high = quarter[2 * i + 1];
            low = vmlal_n_s16(low, vget_low_s16(weights.half[i].val[0]), even);
            low = vmlal_n_s16(low, vget_low_s16(weights.half[i].val[1]), odd);
            high = vmlal_n_s16(high, vget_high_s16(weights.half[i].val[0]), even);
            high = vmlal_n_s16(high, vget_high_s16(weights.half[i].val[1]), odd);
        }
    }
    void store(std::int32_t* to, std::int32_t) const noexcept {
        for (std::size_t i = 0; i < 4; ++i) vst1q_s32(to + 4 * i, quarter[i]);
    }
};
#else
using Input = std::int16_t;
struct Sums {
    std::int32_t row[block_rows] = {};
    struct Weights {
        const std::int8_t* from;
        explicit Weights(const std::int8_t* weights) noexcept : from(weights) {}
    };
    void add(const Weights& weights, std::int32_t pair) noexcept {
        const auto even = static_cast<std::int16_t>(pair), odd = static_cast<std::int16_t>(pair >> 16);
        for (std::size_t r = 0; r < block_rows; ++r)
            row[r] += weights.from[2 * r] * even + weights.from[2 * r + 1] * odd;
    }
    void store(std::int32_t* to, std::int32_t) const noexcept { std::copy(row, row + block_rows, to); }
};
#endif

constexpr std::size_t step_columns = sizeof(std::int32_t) / sizeof(Input);

std::int32_t step_at(const Input* inputs, std::size_t step) noexcept {
    std::int32_t columns;
    std::memcpy(&columns, inputs + step_columns * step, sizeof columns);
    return columns;
}

// What all blocks of rows are multiplied with.
template <std::size_t vectors>
struct Inputs {
    const Input* of[vectors];
    std::int32_t sum[vectors];
};

// `wide` blocks of rows times `vectors` vectors, each a `tile`, stay in registers while the columns pass: no index is
// computed, or compilers would keep the sums in memory. Where a step takes two pairs and there is an odd one left, the
// last step reads what lies behind the block, the scales at least, and multiplies it with 0.
template <std::size_t vectors, std::size_t... tile>
void multiply_blocks(const PackedMatrix& matrix, std::size_t block, const Inputs<vectors>& inputs,
                     std::int32_t* const* sums, std::index_sequence<tile...>) noexcept {
    constexpr std::size_t step_bytes = step_columns * block_rows;
    const std::size_t distance = matrix.pairs * 2 * block_rows;
    const std::size_t steps = (2 * matrix.pairs + step_columns - 1) / step_columns;
    const std::int8_t* from = matrix.weights + block * distance;
    Sums made[sizeof...(tile)];
    for (std::size_t step = 0; step < steps; ++step, from += step_bytes)
        (made[tile].add(Sums::Weights(from + tile / vectors * distance), step_at(inputs.of[tile % vectors], step)),
         ...);
    (made[tile].store(sums[tile % vectors] + (block + tile / vectors) * block_rows, inputs.sum[tile % vectors]), ...);
}

// As many blocks at a time as there are, up to `wide`.
template <std::size_t vectors, std::size_t wide>
void multiply_from(const PackedMatrix& matrix, std::size_t block, const Inputs<vectors>& inputs,
                   std::int32_t* const* sums) noexcept {
    for (; block + wide <= matrix.blocks; block += wide)
        multiply_blocks(matrix, block, inputs, sums, std::make_index_sequence<wide * vectors>());
    if constexpr (wide > 1) multiply_from<vectors, wide - 1>(matrix, block, inputs, sums);
}

template <std::size_t vectors>
void multiply_by(const PackedMatrix& matrix, const std::int8_t* const* from, std::int32_t* const* sums) noexcept {
    const std::size_t columns = matrix.padded_columns();
    Inputs<vectors> inputs{};
#if defined(__AVX512VNNI__)
    constexpr std::size_t wide = vectors == 1 ? 5 : 4;  // a product takes four cycles; there are 32 registers
    for (std::size_t v = 0; v < vectors; ++v) {
        inputs.of[v] = from[v];
        for (std::size_t column = 0; column < columns; ++column) inputs.sum[v] += from[v][column];
    }
#else
    constexpr std::size_t wide = vectors == 1 ? 2 : 1;
    Input widened[vectors][most_columns];
    for (std::size_t v = 0; v < vectors; ++v) {
        std::copy_n(from[v], columns, widened[v]);
        inputs.of[v] = widened[v];
    }
#endif
    multiply_from<vectors, wide>(matrix, 0, inputs, sums);
}

void multiply(const PackedMatrix& matrix, const std::int8_t* const* inputs, std::int32_t* const* sums,
              std::size_t vectors) noexcept {
    switch (vectors) {
        case 1: multiply_by<1>(matrix, inputs, sums); break;
        case 2: multiply_by<2>(matrix, inputs, sums); break;
        case 3: multiply_by<3>(matrix, inputs, sums); break;
        default: multiply_by<4>(matrix, inputs, sums); break;
    }
}

// The largest size, found among the bits: a maximum of whole numbers is a loop that compilers vectorise.
float largest_of(const float* values, std::size_t count) noexcept {
    std::int32_t largest = 0;
    for (std::size_t i = 0; i < count; ++i)
        largest = std::max(largest, std::bit_cast<std::int32_t>(values[i]) & 0x7FFFFFFF);
    return std::bit_cast<float>(largest);
}

float quantize(const float* values, std::size_t count, std::int8_t* quantized) noexcept {
    const float largest = largest_of(values, count);
    if (!(largest > 1e-20f)) {
        std::fill(quantized, quantized + count, std::int8_t{0});
        return 0.0f;
    }
    const float scale = 127.0f / largest;
    for (std::size_t i = 0; i < count; ++i) {
        const float scaled = values[i] * scale;
        quantized[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(scaled + std::copysign(0.5f, scaled)));
    }
    return largest / 127.0f;
}

void finish(const std::int32_t* sums, float unit, const float* scales, const float* bias, float* out,
            std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<float>(sums[i]) * (unit * scales[i]) + bias[i];
}

// By powers of two and the series of e^x around 0, to within 3e-7; of sizes up to 1e9. The limits are set on whole
// numbers: on floats they would be branches, and no vectors.
inline float exponential(float x) noexcept {
    const float turns = x * std::numbers::log2e_v<float>;
    const auto whole = static_cast<std::int32_t>(turns + std::copysign(0.5f, turns));
    const float rest = (turns - static_cast<float>(whole)) * std::numbers::ln2_v<float>;
    float sum = rest * (1.0f / 5040.0f) + 1.0f / 720.0f;
    sum = sum * rest + 1.0f / 120.0f;
    sum = sum * rest + 1.0f / 24.0f;
    sum = sum * rest + 1.0f / 6.0f;
    sum = sum * rest + 0.5f;
    sum = sum * rest + 1.0f;
    sum = sum * rest + 1.0f;
    return sum * std::bit_cast<float>((std::clamp(whole, -120, 120) + 127) << 23);
}

// By the power of two, and the series of the logarithm in (m - 1) / (m + 1) for m from 0.71 to 1.41.
inline float decibels_of(float power) noexcept {
    const std::int32_t bits = std::bit_cast<std::int32_t>(power + 1e-10f) - 0x3F3504F3;  // of the root of a half
    const std::int32_t whole = bits >> 23;
    const float m = std::bit_cast<float>((bits & 0x7FFFFF) + 0x3F3504F3);
    const float s = (m - 1.0f) / (m + 1.0f), square = s * s;
    float sum = square * (1.0f / 9.0f) + 1.0f / 7.0f;
    sum = sum * square + 1.0f / 5.0f;
    sum = sum * square + 1.0f / 3.0f;
    sum = 2.0f * (s + s * square * sum);
    constexpr float of_two = 10.0f * std::numbers::ln2_v<float> / std::numbers::ln10_v<float>;
    return static_cast<float>(whole) * of_two + sum * (10.0f / std::numbers::ln10_v<float>);
}

void powers_to_decibels(float* powers, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) powers[i] = decibels_of(powers[i]);
}

inline float logistic(float x) noexcept { return 1.0f / (1.0f + exponential(-x)); }
inline float hyperbolic_tangent(float x) noexcept { return 1.0f - 2.0f / (1.0f + exponential(2.0f * x)); }

void apply_sigmoid(float* values, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) values[i] = logistic(values[i]);
}

void apply_tanh(float* values, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) values[i] = hyperbolic_tangent(values[i]);
}

void update(const float* fresh, const float* kept, float* state, std::size_t width) noexcept {
    for (std::size_t i = 0; i < width; ++i) {
        const float reset = logistic(fresh[i] + kept[i]);
        const float stay = logistic(fresh[width + i] + kept[width + i]);
        const float made = hyperbolic_tangent(fresh[2 * width + i] + reset * kept[2 * width + i]);
        state[i] = made + stay * (state[i] - made);
    }
}

}  // namespace

const NeuralKernels neural_kernels_variant{.multiply = &multiply,
                                           .quantize = &quantize,
                                           .finish = &finish,
                                           .decibels = &powers_to_decibels,
                                           .sigmoid = &apply_sigmoid,
                                           .tanh = &apply_tanh,
                                           .update = &update};

}  // namespace spike::SPIKE_ISA
