#include "base/fft.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <string>
#include <utility>

namespace spike {
namespace {

std::vector<std::size_t> factors_of(std::size_t length) {
    std::vector<std::size_t> factors;
    if (length == 0) return factors;
    // The first stage is the one that cannot be done several columns at a time: the widest radix has the fewest.
    for (const std::size_t radix : {4u, 7u, 5u, 3u, 2u}) {
        while (length % radix == 0) {
            factors.push_back(radix);
            length /= radix;
        }
    }
    if (length != 1) factors.clear();
    return factors;
}

}  // namespace

std::size_t quick_fft_size(std::size_t least) {
    const auto rest_of = [](std::size_t size) {
        for (const std::size_t factor : {2u, 3u, 5u})
            while (size % factor == 0) size /= factor;
        return size;
    };
    std::size_t size = least + least % 2;
    while (rest_of(size) != 1) size += 2;
    return size;
}

RealFft::RealFft(std::size_t size, Isa isa, std::size_t lanes)
    : size_(size), packed_(size % 2 == 0 ? size / 2 : size), lanes_(lanes), kernels_(&fft_kernels(isa)) {
    const auto factors = factors_of(packed_);
    if (factors.empty())
        throw std::invalid_argument("the FFT size must be at least 3 and without a prime factor above 7, not " +
                                    std::to_string(size));
    std::size_t length = packed_, stride = lanes;
    for (const std::size_t radix : factors) {
        const std::size_t count = length / radix;
        stages_.push_back({radix, count, stride, twiddle_real_.size()});
        const bool is_narrow = stride == 1;
        for (std::size_t at = 0; at < length; ++at) {
            const std::size_t column = is_narrow ? at % count : at / radix, u = is_narrow ? at / count : at % radix;
            const double angle =
                -2.0 * std::numbers::pi * static_cast<double>(column * u) / static_cast<double>(length);
            twiddle_real_.push_back(static_cast<float>(std::cos(angle)));
            twiddle_imag_.push_back(static_cast<float>(std::sin(angle)));
        }
        length = count;
        stride *= radix;
    }
    for (std::size_t k = 0; k <= size / 2; ++k) {
        const double angle = -2.0 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(size);
        unpack_real_.push_back(static_cast<float>(std::cos(angle)));
        unpack_imag_.push_back(static_cast<float>(std::sin(angle)));
    }
    for (auto* buffer : {&work_real_, &work_imag_, &next_real_, &next_imag_}) buffer->assign(packed_ * lanes, 0.0f);
}

void RealFft::transform() noexcept {
    for (const FftStage& stage : stages_) {
        kernels_->run_stage(stage, twiddle_real_.data() + stage.twiddle, twiddle_imag_.data() + stage.twiddle,
                            {work_real_.data(), work_imag_.data()}, {next_real_.data(), next_imag_.data()});
        std::swap(work_real_, next_real_);
        std::swap(work_imag_, next_imag_);
    }
}

void RealFft::forward(std::span<const float> time, SpectrumSpan spectrum) noexcept {
    if (packed_ == size_) return forward_odd(time, spectrum);
    const std::size_t half = packed_;
    kernels_->split(time.data(), {work_real_.data(), work_imag_.data()}, half, lanes_);
    transform();
    for (std::size_t lane = 0, last = half * lanes_; lane < lanes_; ++lane, ++last) {
        spectrum.real[lane] = work_real_[lane] + work_imag_[lane];
        spectrum.real[last] = work_real_[lane] - work_imag_[lane];
        spectrum.imag[lane] = spectrum.imag[last] = 0.0f;
    }
    kernels_->unpack({unpack_real_.data(), unpack_imag_.data()}, {work_real_.data(), work_imag_.data()},
                     spectrum.planar(), half, lanes_);
}

void RealFft::inverse(SpectrumView spectrum, std::span<float> time) noexcept {
    if (packed_ == size_) return inverse_odd(spectrum, time);
    const std::size_t half = packed_;
    kernels_->pack({unpack_real_.data(), unpack_imag_.data()}, spectrum.planar(),
                   {work_real_.data(), work_imag_.data()}, half, lanes_);
    transform();
    kernels_->join({work_real_.data(), work_imag_.data()}, 1.0f / static_cast<float>(size_), time.data(), half, lanes_);
}

void RealFft::forward_odd(std::span<const float> time, SpectrumSpan spectrum) noexcept {
    std::ranges::copy(time, work_real_.begin());
    std::ranges::fill(work_imag_, 0.0f);
    transform();
    std::copy_n(work_real_.begin(), bins() * lanes_, spectrum.real.begin());
    std::copy_n(work_imag_.begin(), bins() * lanes_, spectrum.imag.begin());
}

// The conjugate goes in, since the transform is the forward one.
void RealFft::inverse_odd(SpectrumView spectrum, std::span<float> time) noexcept {
    for (std::size_t lane = 0; lane < lanes_; ++lane) {
        work_real_[lane] = spectrum.real[lane];
        work_imag_[lane] = 0.0f;
        for (std::size_t k = 1; k < bins(); ++k) {
            const std::size_t at = k * lanes_ + lane, mirror = (size_ - k) * lanes_ + lane;
            work_real_[at] = work_real_[mirror] = spectrum.real[at];
            work_imag_[at] = -spectrum.imag[at];
            work_imag_[mirror] = spectrum.imag[at];
        }
    }
    transform();
    const float scale = 1.0f / static_cast<float>(size_);
    std::ranges::transform(work_real_, time.begin(), [scale](float sample) { return scale * sample; });
}

}  // namespace spike
