// Changes the size of one plane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace spike {

// Which input samples make an output sample along one axis, and with what weight: box (area) filtering where the axis
// shrinks, linear interpolation where it grows.
class AxisWeights {
  public:
    AxisWeights(std::size_t from, std::size_t to);

    struct Span {
        std::size_t first, count;
        const float* weights;
    };
    Span at(std::size_t index) const noexcept;

  private:
    std::vector<std::size_t> first_, offset_;
    std::vector<float> weights_;
};

// `channels` bytes a pixel, each scaled by itself.
void scale_plane(const std::uint8_t* in, std::ptrdiff_t in_stride, std::size_t in_width, std::size_t in_height,
                 std::uint8_t* out, std::ptrdiff_t out_stride, std::size_t out_width, std::size_t out_height,
                 std::size_t channels);

}  // namespace spike
