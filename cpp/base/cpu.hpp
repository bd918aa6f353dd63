// Which instruction set the kernels of this process use: chosen once, at load.
#pragma once

#include <string_view>

namespace spike {

enum class Isa { baseline, avx2, avx512, neon };

// The best set that this processor and this build support. The environment variable SPIKE_ENGINE_ISA
// ("baseline", "avx2", "avx512") lowers the choice, never raises it: for tests and for bug reports.
Isa active_isa() noexcept;

// True when the kernels compiled for `isa` may be called on this processor.
bool supports(Isa isa) noexcept;

std::string_view isa_name(Isa isa) noexcept;

}  // namespace spike
