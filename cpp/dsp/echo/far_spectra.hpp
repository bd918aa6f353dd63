// The far end's last blocks as spectra, newest first: what the adaptive filters multiply with.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/fft.hpp"
#include "base/spectrum.hpp"

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

    // Take all blocks anew: `read(channel, back, out)` writes the two blocks that end `back` samples before now.
    template <typename Read>
    void realign(Read&& read) noexcept {
        for (std::size_t channel = 0; channel < channels_; ++channel)
            for (std::size_t partition = 0; partition < partitions_; ++partition) {
                read(channel, partition * block_, std::span(time_));
                if (partition == 0) remember(channel);
                store(channel, partition);
            }
    }

    // Two blocks, of which the later one is `partition` blocks old.
    SpectrumView at(std::size_t channel, std::size_t partition) const noexcept;

    void reset() noexcept;

  private:
    void store(std::size_t channel, std::size_t partition) noexcept;  // the spectrum of time_
    void remember(std::size_t channel) noexcept;                      // the second half of time_, for the next push

    std::size_t block_, partitions_, channels_, bins_;
    RealFft fft_;
    std::size_t newest_ = 0;
    Spectrum spectra_;  // rows
    std::vector<float> previous_, time_;
};

}  // namespace spike
