// Bytes and 16-bit words by the register, for the instruction set that the including kernel source is compiled for.
// Integers only: every set gives the same bits. portable.hpp says in plain C++ what each function does; with
// SPIKE_SCALAR defined it is taken on every processor, for the tests of the others.
#pragma once

#define SPIKE_LANES_ARE_FOR_neon 1
#define SPIKE_LANES_JOIN(a, b) a##b
#define SPIKE_LANES_ARE_FOR(isa) SPIKE_LANES_JOIN(SPIKE_LANES_ARE_FOR_, isa)

#if defined(SPIKE_SCALAR)
#include "convert/lanes/portable.hpp"
#elif defined(__AVX512VBMI__)
#include "convert/lanes/avx512.hpp"
#define SPIKE_LANES_HAVE_CHANNELS
#elif defined(__AVX2__)
#include "convert/lanes/avx2.hpp"
#elif SPIKE_LANES_ARE_FOR(SPIKE_ISA)
#include "convert/lanes/neon.hpp"
#elif defined(__SSE2__) || defined(_M_X64)
#include "convert/lanes/sse2.hpp"
#else
#include "convert/lanes/portable.hpp"
#endif

#if !defined(SPIKE_LANES_HAVE_CHANNELS)
#include "convert/lanes/channels.hpp"
#endif
