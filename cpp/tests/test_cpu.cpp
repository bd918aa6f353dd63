#include <doctest/doctest.h>

#include "base/cpu.hpp"

TEST_CASE("the active instruction set is one that this processor supports") {
    CHECK(spike::supports(spike::active_isa()));
    CHECK(spike::supports(spike::Isa::baseline));
}

#if defined(__x86_64__) && defined(__GNUC__)
TEST_CASE("what the processor has is what the compiler's own probe finds") {
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    CHECK(spike::supports(spike::Isa::avx2) == avx2);
    CHECK(spike::supports(spike::Isa::avx512) ==
          (avx2 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512vnni")));
}
#endif
