// Switches denormal numbers off for a scope: filters that fade into them would run many times slower.
#pragma once

#if defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#endif
#include <cstdint>

namespace spike {

class DenormalsOff {
  public:
    DenormalsOff() noexcept : before_(read()) { write(before_ | flush_bits); }
    ~DenormalsOff() { write(before_); }
    DenormalsOff(const DenormalsOff&) = delete;
    DenormalsOff& operator=(const DenormalsOff&) = delete;

  private:
#if defined(__SSE2__) || defined(_M_X64)
    static constexpr std::uint64_t flush_bits = 0x8040;  // flush to zero, denormals are zero
    static std::uint64_t read() noexcept { return _mm_getcsr(); }
    static void write(std::uint64_t bits) noexcept { _mm_setcsr(static_cast<unsigned>(bits)); }
#elif defined(__aarch64__) && !defined(_MSC_VER)
    static constexpr std::uint64_t flush_bits = 1u << 24;
    static std::uint64_t read() noexcept {
        std::uint64_t bits;
        asm volatile("mrs %0, fpcr" : "=r"(bits));
        return bits;
    }
    static void write(std::uint64_t bits) noexcept { asm volatile("msr fpcr, %0" ::"r"(bits)); }
#else
    static constexpr std::uint64_t flush_bits = 0;
    static std::uint64_t read() noexcept { return 0; }
    static void write(std::uint64_t) noexcept {}
#endif
    std::uint64_t before_;
};

}  // namespace spike
