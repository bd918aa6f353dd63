// Complex numbers as kernels take them: all real parts, all imaginary parts.
#pragma once

namespace spike {

struct PlanarIn {
    const float* real;
    const float* imag;
};

struct PlanarOut {
    float* real;
    float* imag;
};

}  // namespace spike
