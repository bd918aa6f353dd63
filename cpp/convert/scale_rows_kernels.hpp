// The inner loops of scaling, once per instruction set: integers only, so every set gives the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/aligned.hpp"
#include "base/variants.hpp"

namespace spike {

// Weights of averages are unsigned with 16 fractional bits, and words between the two axes have 8. Where weights may be
// negative they are signed with 14, and words have 6.

// What makes the samples of a row: for each a first input sample and `taps` weights, tap by tap in blocks of one
// register, with the places that a register's samples come from. Filled by `plan` of the kernels that read it.
struct RowPlan {
    std::size_t count = 0, taps = 0, step = 1;  // taps are `step` samples apart
    std::vector<std::uint32_t> first;           // per sample
    std::vector<std::uint16_t> weights;         // per sample, then per tap
    std::vector<std::uint32_t> bases;           // per group of samples whose inputs one shuffle reaches
    AlignedVector<std::uint16_t> blocks;  // per register, per tap: places, then weights; empty where they are too far
};

// How many words after the last of a row may be read.
constexpr std::size_t row_padding = 64;

struct ScaleRowsKernels {
    void (*plan)(RowPlan& plan);
    // The sum of `taps` rows by their weights.
    void (*down)(const std::uint8_t* const* rows, const std::uint16_t* weights, std::size_t taps, std::uint16_t* out,
                 std::size_t count) noexcept;
    void (*across)(const std::uint16_t* row, const RowPlan& plan, std::uint8_t* out) noexcept;
    void (*down_signed)(const std::uint8_t* const* rows, const std::uint16_t* weights, std::size_t taps,
                        std::uint16_t* out, std::size_t count) noexcept;
    void (*across_signed)(const std::uint16_t* row, const RowPlan& plan, std::uint8_t* out) noexcept;
};

SPIKE_VARIANTS(ScaleRowsKernels, scale_rows_kernels)

}  // namespace spike
