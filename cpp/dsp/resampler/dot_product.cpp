#include "dsp/resampler/dot_product.hpp"

namespace spike {

const DotProduct& dot_product(Isa isa) noexcept {
    switch (isa) {
#if defined(__x86_64__) || defined(_M_X64)
        case Isa::avx2: return avx2::dot_product_variant;
        case Isa::avx512: return avx512::dot_product_variant;
#elif defined(__aarch64__) || defined(_M_ARM64)
        case Isa::neon: return neon::dot_product_variant;
#endif
        default: return baseline::dot_product_variant;
    }
}

}  // namespace spike
