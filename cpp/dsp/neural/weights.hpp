// A file of weights: checked once, then shared by every stream that runs the network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned.hpp"
#include "dsp/neural/neural_kernels.hpp"

namespace spike {

// A file that is damaged, or that holds another network than the one asked for. Says which file, and both checksums.
class WeightsError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Layout, little-endian: "SPKWGT" and two zero bytes; u32 version, u32 CRC-32 of all that follows, u32 number of
// tensors; for each tensor 32 bytes of name (UTF-8, filled up with zeros), u32 kind, u32 rows, u32 columns, u32 offset
// of its data from the file's beginning; then the data, each tensor at a multiple of 64 bytes.
//
// Kind 0: rows * columns float32. Kind 1: a matrix of int8 as `PackedMatrix` lies, followed at a multiple of 64 bytes
// by one float32 a row: what a weight of 1 stands for.
class Weights {
  public:
    // What a layer takes its weights from.
    struct Matrix {
        PackedMatrix packed;
        std::size_t rows, columns;
        const float* scales;
    };

    static constexpr std::uint32_t version = 1;

    // Copies `file`; `name` is what errors call it. Throws WeightsError.
    Weights(std::span<const std::byte> file, std::string_view name);

    const std::string& name() const noexcept { return name_; }
    std::uint32_t checksum() const noexcept { return checksum_; }

    // Throw WeightsError where there is no such tensor, or it is of another kind.
    Matrix matrix(std::string_view tensor) const;
    std::span<const float> floats(std::string_view tensor) const;

  private:
    struct Tensor {
        std::string name;
        std::uint32_t kind, rows, columns, offset;
    };

    void read_tensors();
    const Tensor& find(std::string_view tensor, std::uint32_t kind) const;
    std::uint32_t number_at(std::size_t offset) const noexcept;
    [[noreturn]] void refuse(const std::string& reason) const;

    std::string name_;
    AlignedVector<std::byte> data_;
    std::uint32_t checksum_ = 0;
    std::vector<Tensor> tensors_;
};

}  // namespace spike
