#include "dsp/neural/weights.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace spike {
namespace {

static_assert(std::endian::native == std::endian::little, "the file is read as it lies");

constexpr std::string_view magic{"SPKWGT\0\0", 8};
constexpr std::size_t header_bytes = 20, checked_from = 16;
constexpr std::size_t tensor_bytes = 48, name_bytes = 32;
constexpr std::uint32_t float_kind = 0, matrix_kind = 1;
constexpr float most_weight = 1e4f;

constexpr std::array<std::uint32_t, 256> crc_table = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t rest = byte;
        for (int bit = 0; bit < 8; ++bit) rest = rest & 1 ? 0xEDB88320u ^ (rest >> 1) : rest >> 1;
        table[byte] = rest;
    }
    return table;
}();

// ISO 3309, as in zip files.
std::uint32_t crc32(std::span<const std::byte> bytes) noexcept {
    std::uint32_t rest = 0xFFFFFFFFu;
    for (const std::byte byte : bytes) rest = crc_table[(rest ^ static_cast<std::uint32_t>(byte)) & 0xFF] ^ (rest >> 8);
    return ~rest;
}

std::string hexadecimal(std::uint32_t number) {
    std::array<char, 9> text{};
    std::snprintf(text.data(), text.size(), "%08x", number);
    return text.data();
}

constexpr std::size_t rounded_up(std::size_t count, std::size_t to) { return (count + to - 1) / to * to; }

std::size_t matrix_bytes(std::size_t rows, std::size_t columns) {
    return rounded_up(rounded_up(rows, block_rows) * rounded_up(columns, 2), cache_line_bytes);
}

}  // namespace

Weights::Weights(std::span<const std::byte> file, std::string_view name) : name_(name) {
    data_.assign(file.begin(), file.end());
    if (data_.size() < header_bytes || std::memcmp(data_.data(), magic.data(), magic.size()) != 0)
        refuse("is no file of weights: it does not begin with SPKWGT");
    if (const auto found = number_at(8); found != version)
        refuse("has version " + std::to_string(found) + "; this build reads version " + std::to_string(version));
    const std::uint32_t stated = number_at(12);
    checksum_ = crc32(std::span(data_).subspan(checked_from));
    if (checksum_ != stated)
        refuse("is damaged: its CRC-32 is " + hexadecimal(checksum_) + ", it should be " + hexadecimal(stated));
    read_tensors();
}

void Weights::read_tensors() {
    const std::size_t count = number_at(16);
    if (count > (data_.size() - header_bytes) / tensor_bytes) refuse("is cut off within its table");
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = header_bytes + i * tensor_bytes;
        const auto* name = reinterpret_cast<const char*>(data_.data() + at);
        const Tensor tensor{std::string(name, std::find(name, name + name_bytes, '\0')), number_at(at + name_bytes),
                            number_at(at + name_bytes + 4), number_at(at + name_bytes + 8),
                            number_at(at + name_bytes + 12)};
        constexpr std::size_t most = 1u << 20;
        if (tensor.kind > matrix_kind || tensor.rows > most || tensor.columns > most ||
            tensor.offset % cache_line_bytes != 0)
            refuse("holds a tensor '" + tensor.name + "' that this build cannot read");
        if (tensor.kind == matrix_kind && tensor.columns > most_columns)
            refuse("holds a matrix '" + tensor.name + "' of more than " + std::to_string(most_columns) + " columns");
        const std::size_t floats = tensor.kind == matrix_kind ? tensor.rows : std::size_t{tensor.rows} * tensor.columns;
        const std::size_t bytes =
            (tensor.kind == matrix_kind ? matrix_bytes(tensor.rows, tensor.columns) : 0) + floats * sizeof(float);
        if (tensor.offset > data_.size() || bytes > data_.size() - tensor.offset)
            refuse("is cut off within '" + tensor.name + "'");
        // The floats lie behind all else of a tensor.
        const auto* last = reinterpret_cast<const float*>(data_.data() + tensor.offset + bytes);
        if (!std::all_of(last - floats, last, [](float number) { return std::abs(number) <= most_weight; }))
            refuse("holds numbers in '" + tensor.name + "' that are none, or too large");
        tensors_.push_back(tensor);
    }
}

Weights::Matrix Weights::matrix(std::string_view tensor) const {
    const Tensor& found = find(tensor, matrix_kind);
    const std::byte* data = data_.data() + found.offset;
    const PackedMatrix packed{reinterpret_cast<const std::int8_t*>(data),
                              rounded_up(found.rows, block_rows) / block_rows, rounded_up(found.columns, 2) / 2};
    const auto* scales = reinterpret_cast<const float*>(data + matrix_bytes(found.rows, found.columns));
    return {packed, found.rows, found.columns, scales};
}

std::span<const float> Weights::floats(std::string_view tensor) const {
    const Tensor& found = find(tensor, float_kind);
    return {reinterpret_cast<const float*>(data_.data() + found.offset), std::size_t{found.rows} * found.columns};
}

const Weights::Tensor& Weights::find(std::string_view tensor, std::uint32_t kind) const {
    for (const Tensor& candidate : tensors_)
        if (candidate.name == tensor && candidate.kind == kind) return candidate;
    refuse("is of another network: it holds no '" + std::string(tensor) + "'");
}

std::uint32_t Weights::number_at(std::size_t offset) const noexcept {
    std::uint32_t number;
    std::memcpy(&number, data_.data() + offset, sizeof number);
    return number;
}

void Weights::refuse(const std::string& reason) const { throw WeightsError(name_ + " " + reason); }

}  // namespace spike
