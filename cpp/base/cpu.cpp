#include "base/cpu.hpp"

#include <cstdlib>

namespace spike {
namespace {

#if defined(__x86_64__) || defined(_M_X64)
#if defined(__GNUC__) || defined(__clang__)
bool has_avx2() noexcept { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() noexcept {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
}
#else
// Other compilers give no portable probe that also checks the operating system's part: stay on the baseline.
bool has_avx2() noexcept { return false; }
bool has_avx512() noexcept { return false; }
#endif
bool has_neon() noexcept { return false; }
#elif defined(__aarch64__) || defined(_M_ARM64)
bool has_avx2() noexcept { return false; }
bool has_avx512() noexcept { return false; }
bool has_neon() noexcept { return true; }  // part of the architecture
#else
bool has_avx2() noexcept { return false; }
bool has_avx512() noexcept { return false; }
bool has_neon() noexcept { return false; }
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
