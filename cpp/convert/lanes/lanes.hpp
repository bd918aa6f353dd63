// Bytes and 16-bit words by the register, for the instruction set that the including kernel source is compiled for.
// Integers only: every set gives the same bits. portable.hpp says in plain C++ what each function does.
#pragma once

#define SPIKE_LANES_ARE_FOR_neon 1
#define SPIKE_LANES_JOIN(a, b) a##b
#define SPIKE_LANES_ARE_FOR(isa) SPIKE_LANES_JOIN(SPIKE_LANES_ARE_FOR_, isa)

#if defined(__AVX512VBMI__)
#include "convert/lanes/avx512.hpp"
#elif defined(__AVX2__)
#include "convert/lanes/avx2.hpp"
#elif SPIKE_LANES_ARE_FOR(SPIKE_ISA)
#include "convert/lanes/neon.hpp"
#else
#include "convert/lanes/portable.hpp"
#endif
