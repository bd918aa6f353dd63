// The far end's last blocks as spectra, newest first: what the adaptive filters multiply with.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/fft.hpp"
#include "dsp/echo/far_line.hpp"
#include "dsp/echo/partition.hpp"

namespace spike {

class FarSpectra {
  public:
    FarSpectra(std::size_t block_samples, std::size_t partitions, std::size_t channels);

    std::size_t block_samples() const noexcept { return block_; }
    std::size_t bins() const noexcept { return bins_; }
    std::size_t partitions() const noexcept { return partitions_; }
    std::size_t channels() const noexcept { return channels_; }

    // One block of `channels` planar blocks.
    void push(std::span<const float> far) noexcept;

    // Take all blocks anew, as `line` gives them at another delay.
    void realign(const FarLine& line, double delay) noexcept;

    // Two blocks, of which the later one is `partition` blocks old.
    FarSpectrum at(std::size_t channel, std::size_t partition) const noexcept;

    void reset() noexcept;

  private:
    void store(std::size_t channel, std::size_t partition) noexcept;  // the spectrum of time_

    std::size_t block_, partitions_, channels_, bins_;
    RealFft fft_;
    std::size_t newest_ = 0;
    std::vector<float> real_, imag_, previous_, time_;
};

}  // namespace spike
