// The discrete Fourier transform of real blocks: plan in the constructor, transform without allocation.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/aligned.hpp"
#include "base/fft_kernels.hpp"
#include "base/spectrum.hpp"

namespace spike {

// The next even size from `least` on that the transform is quick at.
std::size_t quick_fft_size(std::size_t least);

// A transform of `size` real samples to size/2 + 1 bins and back. The forward transform is not scaled, the inverse by
// 1/size.
//
// Method: the samples are packed into size/2 complex values, transformed by a mixed-radix Stockham algorithm, and
// unpacked by symmetry (Press et al., Numerical Recipes, 12.3). An odd size is transformed as it is, at twice the cost.
//
// Several blocks side by side, in `lanes`, take less time than one after another, and give the same bits: sample n of
// block i is time[n * lanes + i], and so are the bins.
class RealFft {
  public:
    // size: at least 3, and without a prime factor above 7. Throws std::invalid_argument.
    explicit RealFft(std::size_t size, Isa isa = active_isa(), std::size_t lanes = 1);

    std::size_t size() const noexcept { return size_; }
    std::size_t bins() const noexcept { return size_ / 2 + 1; }
    std::size_t lanes() const noexcept { return lanes_; }

    void forward(std::span<const float> time, SpectrumSpan spectrum) noexcept;
    void inverse(SpectrumView spectrum, std::span<float> time) noexcept;

  private:
    void transform() noexcept;  // work_ to work_, natural order on both sides
    void forward_odd(std::span<const float> time, SpectrumSpan spectrum) noexcept;
    void inverse_odd(SpectrumView spectrum, std::span<float> time) noexcept;

    std::size_t size_, packed_, lanes_;  // samples; complex values that are transformed
    const FftKernels* kernels_;
    std::vector<FftStage> stages_;
    std::vector<float> twiddle_real_, twiddle_imag_;
    std::vector<float> unpack_real_, unpack_imag_;
    AlignedVector<float> work_real_, work_imag_, next_real_, next_imag_;
};

}  // namespace spike
