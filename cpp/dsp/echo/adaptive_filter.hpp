// Models the path from loudspeaker to microphone and predicts the echo.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/fft.hpp"
#include "dsp/echo/partition.hpp"

namespace spike {

// A partitioned-block frequency-domain Kalman filter. Every coefficient carries its own uncertainty, which sets its
// step size: large after a start or a change of the room, small when the near end talks, without a double-talk
// detector.
//
// Method: G. Enzner and P. Vary, "Frequency-domain adaptive Kalman filter for acoustic echo control in hands-free
// telephones", Signal Processing 86 (2006); partitioned as in F. Kuech, E. Mabande and G. Enzner, "State-space
// architecture of the partitioned-block-based acoustic echo controller", ICASSP 2014, with a diagonal covariance.
class AdaptiveFilter {
  public:
    struct Config {
        std::size_t block_samples = 480;
        std::size_t partitions = 26;         // the modelled part of the path, in blocks
        std::size_t max_delay_blocks = 100;  // how far the modelled part can be shifted
        std::size_t far_channels = 1;
    };

    explicit AdaptiveFilter(const Config& config);

    // One block: `far` holds far_channels planar blocks after one another. Writes what is left of the microphone and
    // the echo that was predicted.
    void process(std::span<const float> microphone, std::span<const float> far, std::span<float> error,
                 std::span<float> echo) noexcept;

    // Model the path from `blocks` blocks of delay on; what has been learned moves along.
    void set_delay_blocks(std::size_t blocks) noexcept;
    std::size_t delay_blocks() const noexcept { return delay_blocks_; }

    // Expected power of the echo that is still in the error, per bin, from the coefficients' uncertainty.
    std::span<const float> residual_power() const noexcept { return residual_; }

    void reset() noexcept;

  private:
    struct Spectra {  // rows of bins, planar
        std::vector<float> real, imag;
        void resize(std::size_t rows, std::size_t bins);
        void clear() noexcept;
    };

    std::size_t far_row(std::size_t channel, std::size_t partition) const noexcept;
    void store_far(std::span<const float> far) noexcept;
    template <typename Visit>
    void for_each_partition(Visit&& visit) noexcept;
    void predict() noexcept;
    void adapt() noexcept;
    void constrain(std::size_t row) noexcept;
    void recover_from_divergence(std::span<const float> microphone, std::span<float> error) noexcept;

    Config config_;
    const PartitionLoops* loops_;
    RealFft fft_;
    std::size_t bins_;
    std::size_t history_rows_;
    std::size_t newest_ = 0;  // row of the newest far block in the history
    std::size_t delay_blocks_ = 0;
    std::size_t to_constrain_ = 0;
    Spectra far_;                  // channels x history
    Spectra coefficients_;         // channels x partitions
    std::vector<float> variance_;  // of the coefficients' error, channels x partitions x bins
    std::vector<float> near_power_, residual_, gain_real_, gain_imag_, share_, sum_real_, sum_imag_;
    std::vector<float> previous_far_, time_;
    float microphone_power_ = 0.0f, error_power_ = 0.0f;
};

}  // namespace spike
