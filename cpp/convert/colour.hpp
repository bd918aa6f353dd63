// How luma and chroma are made of red, green and blue. Sources: ITU-R BT.601-7 and BT.709-6.
#pragma once

#include "convert/pixel_rows_kernels.hpp"

namespace spike {

struct Colour {
    enum class Matrix { bt601, bt709 };
    Matrix matrix = Matrix::bt709;
    bool full_range = false;
};

struct Matrices {
    ToRgb to_rgb;
    ToYuv to_yuv;
};

const Matrices& matrices_of(const Colour& colour) noexcept;

}  // namespace spike
