#include "base/cpu.hpp"

#include <cstdint>
#include <cstdlib>

#if defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

namespace spike {
namespace {

#if defined(__x86_64__) || defined(_M_X64)

struct Registers {
    std::uint32_t eax, ebx, ecx, edx;
};

#if defined(_MSC_VER)
Registers cpuid(std::uint32_t leaf) noexcept {
    int registers[4]{};
    __cpuidex(registers, static_cast<int>(leaf), 0);
    const auto of = [&](int n) { return static_cast<std::uint32_t>(registers[n]); };
    return {of(0), of(1), of(2), of(3)};
}
std::uint64_t enabled_state() noexcept { return _xgetbv(0); }
#else
Registers cpuid(std::uint32_t leaf) noexcept {
    Registers registers{};
    __cpuid_count(leaf, 0, registers.eax, registers.ebx, registers.ecx, registers.edx);
    return registers;
}
std::uint64_t enabled_state() noexcept {
    std::uint32_t low = 0, high = 0;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return std::uint64_t{high} << 32 | low;
}
#endif

constexpr bool has_all(std::uint64_t found, std::uint64_t bits) noexcept { return (found & bits) == bits; }

template <typename... Bits>
constexpr std::uint64_t bits(Bits... places) noexcept {
    return ((std::uint64_t{1} << places) | ...);
}

// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, 14.3 and 15.2: what the processor has
// counts only where the operating system keeps its registers (XCR0).
bool has_avx2() noexcept {
    constexpr auto fma_osxsave_avx = bits(12, 27, 28), bmi1_avx2_bmi2 = bits(3, 5, 8), sse_and_avx_state = bits(1, 2);
    return cpuid(0).eax >= 7 && has_all(cpuid(1).ecx, fma_osxsave_avx) && has_all(enabled_state(), sse_and_avx_state) &&
           has_all(cpuid(7).ebx, bmi1_avx2_bmi2);
}
bool has_avx512() noexcept {
    constexpr auto f_dq_bw_vl = bits(16, 17, 30, 31), vbmi_vnni = bits(1, 11), mask_and_upper_state = bits(5, 6, 7);
    return has_avx2() && has_all(enabled_state(), mask_and_upper_state) && has_all(cpuid(7).ebx, f_dq_bw_vl) &&
           has_all(cpuid(7).ecx, vbmi_vnni);
}
bool has_neon() noexcept { return false; }

#else

bool has_avx2() noexcept { return false; }
bool has_avx512() noexcept { return false; }
#if defined(__aarch64__) || defined(_M_ARM64)
bool has_neon() noexcept { return true; }  // part of the architecture
#else
bool has_neon() noexcept { return false; }
#endif

#endif

Isa choose() noexcept {
    const char* cap_variable = std::getenv("SPIKE_ENGINE_ISA");
    const std::string_view cap = cap_variable ? cap_variable : "";
    if (cap == "baseline") return Isa::baseline;
    if (has_neon()) return Isa::neon;
    if (has_avx512() && cap != "avx2") return Isa::avx512;
    return has_avx2() ? Isa::avx2 : Isa::baseline;
}

}  // namespace

Isa active_isa() noexcept {
    static const Isa isa = choose();
    return isa;
}

bool supports(Isa isa) noexcept {
    switch (isa) {
        case Isa::avx2: return has_avx2();
        case Isa::avx512: return has_avx512();
        case Isa::neon: return has_neon();
        case Isa::baseline: break;
    }
    return true;
}

std::string_view isa_name(Isa isa) noexcept {
    switch (isa) {
        case Isa::avx2: return "avx2";
        case Isa::avx512: return "avx512";
        case Isa::neon: return "neon";
        case Isa::baseline: break;
    }
    return "baseline";
}

}  // namespace spike
