// Whether two pieces of memory share a byte, where both are pieces at equal distances: rows of a plane, samples of a
// channel.
#pragma once

#include <cstddef>
#include <cstdint>

namespace spike {

struct Pieces {
    // `count` pieces of `bytes` each, `stride` bytes apart, which may be negative.
    Pieces(const void* first, std::ptrdiff_t stride_bytes, std::size_t count_, std::size_t bytes_) noexcept
        : begin(reinterpret_cast<std::intptr_t>(first)),
          stride(stride_bytes < 0 ? -stride_bytes : stride_bytes),
          count(static_cast<std::ptrdiff_t>(count_)),
          bytes(static_cast<std::ptrdiff_t>(bytes_)) {
        if (stride_bytes < 0) begin += (count - 1) * stride_bytes;
    }
    std::ptrdiff_t end() const noexcept { return begin + (count - 1) * stride + bytes; }

    std::ptrdiff_t begin, stride, count, bytes;  // from the one that lies lowest on
};

inline bool share_bytes(const Pieces& a, const Pieces& b) noexcept {
    if (a.count == 0 || b.count == 0 || a.end() <= b.begin || b.end() <= a.begin) return false;
    if (b.stride == 0) return true;
    for (std::ptrdiff_t piece = 0; piece < a.count; ++piece) {
        // The first piece of the other that ends after this one begins: does it begin before this one ends?
        const std::ptrdiff_t begin = a.begin + piece * a.stride, after = begin - b.begin - b.bytes;
        const std::ptrdiff_t first = after < 0 ? 0 : after / b.stride + 1;
        if (first < b.count && b.begin + first * b.stride < begin + a.bytes) return true;
    }
    return false;
}

}  // namespace spike
