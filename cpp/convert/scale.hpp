// Changes the size of one plane.
#pragma once

#include <vector>

#include "convert/picture.hpp"
#include "convert/scale_rows_kernels.hpp"

namespace spike {

// How an output sample is made along one axis. Area averages what the sample covers where the axis shrinks and is
// linear where it grows. Bilinear and bicubic stretch their kernel where the axis shrinks, so that nothing aliases.
// Source of the cubic kernel (a = -1/2): R. Keys, "Cubic convolution interpolation for digital image processing", 1981.
enum class Scaling { area, bilinear, bicubic };

// Which input samples make an output sample, and by what weight: all outputs have as many taps.
struct AxisWeights {
    AxisWeights(std::size_t from, std::size_t to, Scaling scaling);
    std::size_t taps = 0;
    std::vector<std::uint32_t> first;  // per output
    std::vector<double> weights;       // per output, then per tap; each output's sum is 1
};

class PlaneScaler {
  public:
    // Of planes of `channels` bytes a pixel, each scaled by itself.
    PlaneScaler(const PlaneShape& from, const PlaneShape& to, Scaling scaling,
                const ScaleRowsKernels& rows = scale_rows_kernels(active_isa()));

    // The rows of `out`, `count` from the `first` of the whole on.
    void run(const std::uint8_t* in, std::ptrdiff_t in_stride, std::uint8_t* out, std::ptrdiff_t out_stride,
             std::size_t first, std::size_t count) noexcept;

  private:
    const ScaleRowsKernels& rows_;
    bool signed_;
    std::size_t in_bytes_;
    AxisWeights down_;
    std::vector<std::uint16_t> down_weights_;
    RowPlan across_;
    std::vector<std::uint16_t> line_;
    std::vector<const std::uint8_t*> taps_;
};

}  // namespace spike
