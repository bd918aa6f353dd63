// A register's worth of numbers, as wide as the instruction set that the including kernel source is compiled for.
#pragma once

#include <cstddef>
#include <cstring>
#include <utility>

namespace spike::SPIKE_ISA {
namespace {

#if defined(__AVX512F__)
constexpr std::size_t register_bytes = 64;
#elif defined(__AVX2__)
constexpr std::size_t register_bytes = 32;
#else
constexpr std::size_t register_bytes = 16;
#endif

template <typename Number>
struct Simd {
    static constexpr std::size_t count = register_bytes / sizeof(Number);

#if defined(__GNUC__)
    using Vector __attribute__((vector_size(register_bytes))) = Number;
#else
    struct Vector {
        Number lane[count];
        Number operator[](std::size_t i) const { return lane[i]; }
        Number& operator[](std::size_t i) { return lane[i]; }
        friend Vector operator+(Vector a, Vector b) {
            for (std::size_t i = 0; i < count; ++i) a.lane[i] += b.lane[i];
            return a;
        }
        friend Vector operator*(Vector a, Vector b) {
            for (std::size_t i = 0; i < count; ++i) a.lane[i] *= b.lane[i];
            return a;
        }
        Vector& operator+=(Vector other) { return *this = *this + other; }
    };
#endif

    static Vector load(const Number* from) noexcept {
        Vector vector;
        std::memcpy(&vector, from, sizeof vector);
        return vector;
    }

    static void store(Vector vector, Number* to) noexcept { std::memcpy(to, &vector, sizeof vector); }

    // In a register: compilers would rather load what is used twice from memory twice.
    static Vector held(Vector vector) noexcept {
#if defined(__GNUC__) && defined(__x86_64__)
        asm("" : "+v"(vector));
#endif
        return vector;
    }

    static Vector repeat(Number number) noexcept {
#if defined(__GNUC__)
        return number - Vector{};  // lane by lane, compilers write it through memory
#else
        Vector vector;
        for (std::size_t i = 0; i < count; ++i) vector[i] = number;
        return vector;
#endif
    }

    // `a` and `b` hold `held` partial sums each, in equal shares of their lanes: halves the shares, so that both fit
    // into one, those of `a` first. From `count` vectors a tree of these makes one that holds the sum of each.
    template <std::size_t held>
    static Vector fold(Vector a, Vector b) noexcept {
        return fold<held>(a, b, std::make_index_sequence<count>());
    }

  private:
    // Where lane `i` of the folded vector is summed from, in `a` followed by `b`.
    template <std::size_t held>
    static constexpr int source(std::size_t i) noexcept {
        constexpr std::size_t share = count / held;
        return static_cast<int>(i / (share / 2) * share + i % (share / 2));
    }

    template <std::size_t held, std::size_t... i>
    static Vector fold(Vector a, Vector b, std::index_sequence<i...>) noexcept {
        constexpr int half = static_cast<int>(count / held / 2);
#if defined(__GNUC__)
        return __builtin_shufflevector(a, b, source<held>(i)...) +
               __builtin_shufflevector(a, b, (source<held>(i) + half)...);
#else
        const auto lane = [&](std::size_t at) { return at < count ? a[at] : b[at - count]; };
        Vector folded;
        ((folded[i] = lane(source<held>(i)) + lane(source<held>(i) + half)), ...);
        return folded;
#endif
    }
};

}  // namespace
}  // namespace spike::SPIKE_ISA
