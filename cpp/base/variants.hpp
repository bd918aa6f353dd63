// Chooses between the builds of one kernel source (cmake/SpikeKernels.cmake).
#pragma once

#include "base/cpu.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#define SPIKE_VARIANT_CASES(name)                         \
    case ::spike::Isa::avx2: return avx2::name##_variant; \
    case ::spike::Isa::avx512: return avx512::name##_variant;
#elif defined(__aarch64__) || defined(_M_ARM64)
#define SPIKE_VARIANT_CASES(name) \
    case ::spike::Isa::neon: return neon::name##_variant;
#else
#define SPIKE_VARIANT_CASES(name)
#endif

// In namespace spike: declares the table `name`_variant of type `Table` that the kernel source defines in the namespace
// of each instruction set, and the function `name`(isa) that returns it, the baseline's where this build has no other.
// `scalar` is for the tests, which compile some sources without any instruction set (CMakeLists.txt).
#define SPIKE_VARIANTS(Table, name)                       \
    namespace baseline {                                  \
    extern const Table name##_variant;                    \
    }                                                     \
    namespace avx2 {                                      \
    extern const Table name##_variant;                    \
    }                                                     \
    namespace avx512 {                                    \
    extern const Table name##_variant;                    \
    }                                                     \
    namespace neon {                                      \
    extern const Table name##_variant;                    \
    }                                                     \
    namespace scalar {                                    \
    extern const Table name##_variant;                    \
    }                                                     \
    inline const Table& name(::spike::Isa isa) noexcept { \
        switch (isa) {                                    \
            SPIKE_VARIANT_CASES(name)                     \
            default: return baseline::name##_variant;     \
        }                                                 \
    }
