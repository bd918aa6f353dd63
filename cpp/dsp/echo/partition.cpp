#include "dsp/echo/partition.hpp"

namespace spike {

const PartitionLoops& partition_loops(Isa isa) noexcept {
    switch (isa) {
#if defined(__x86_64__) || defined(_M_X64)
        case Isa::avx2: return avx2::partition_loops_variant;
        case Isa::avx512: return avx512::partition_loops_variant;
#elif defined(__aarch64__) || defined(_M_ARM64)
        case Isa::neon: return neon::partition_loops_variant;
#endif
        default: return baseline::partition_loops_variant;
    }
}

}  // namespace spike
