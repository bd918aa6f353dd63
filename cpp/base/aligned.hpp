// Memory whose rows begin where a register's worth of a cache line begins.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace spike {

constexpr std::size_t cache_line_bytes = 64;

template <typename Value>
struct AlignedAllocator {
    using value_type = Value;

    AlignedAllocator() = default;
    template <typename Other>
    explicit AlignedAllocator(const AlignedAllocator<Other>&) noexcept {}

    Value* allocate(std::size_t count) {
        return static_cast<Value*>(::operator new(count * sizeof(Value), std::align_val_t(cache_line_bytes)));
    }
    void deallocate(Value* values, std::size_t) noexcept {
        ::operator delete(values, std::align_val_t(cache_line_bytes));
    }
    bool operator==(const AlignedAllocator&) const noexcept { return true; }
};

// Begins at a cache line.
template <typename Value>
using AlignedVector = std::vector<Value, AlignedAllocator<Value>>;

}  // namespace spike
