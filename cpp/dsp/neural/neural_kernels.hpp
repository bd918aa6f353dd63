// The arithmetic of the layers: products of int8 matrices with int8 vectors, in whole numbers, and activations.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/variants.hpp"

namespace spike {

constexpr std::size_t block_rows = 16;  // rows that lie side by side, two columns at a time
constexpr std::size_t most_columns = 512;
constexpr std::size_t most_together = 4;  // vectors that one pass over a matrix serves

// Weights as they lie in the file: blocks of `block_rows` rows; in a block, for each pair of columns, the pair of each
// row. Rows and columns are filled up with zeros to whole blocks and pairs.
struct PackedMatrix {
    const std::int8_t* weights;
    std::size_t blocks;
    std::size_t pairs;

    std::size_t padded_columns() const noexcept { return 2 * (pairs + pairs % 2); }
};

// Whole numbers are the same on every instruction set; the rest differs by rounding only, and `sigmoid` and `tanh` are
// within 1e-6 of the function.
struct NeuralKernels {
    // sums[v][row] = the row's product with inputs[v], for `vectors` from 1 to `most_together`. Inputs are up to 127 in
    // size, and filled up with zeros to `padded_columns`.
    void (*multiply)(const PackedMatrix& matrix, const std::int8_t* const* inputs, std::int32_t* const* sums,
                     std::size_t vectors) noexcept;
    // Brings `values` to whole numbers up to 127 in size; returns what one of them stands for.
    float (*quantize)(const float* values, std::size_t count, std::int8_t* quantized) noexcept;
    // out = sums * unit * scales + bias.
    void (*finish)(const std::int32_t* sums, float unit, const float* scales, const float* bias, float* out,
                   std::size_t count) noexcept;
    // Powers to dB, from -100 on: 1e-10 is added. Within 2e-5 dB of the function.
    void (*decibels)(float* powers, std::size_t count) noexcept;
    void (*sigmoid)(float* values, std::size_t count) noexcept;
    void (*tanh)(float* values, std::size_t count) noexcept;
    // The state of a gated recurrent unit, from what its gates (reset, update, new) have of the input and of the state.
    void (*update)(const float* fresh, const float* kept, float* state, std::size_t width) noexcept;
};

SPIKE_VARIANTS(NeuralKernels, neural_kernels)

}  // namespace spike
