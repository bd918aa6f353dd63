// Models the path from loudspeaker to microphone and predicts the echo.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/fft.hpp"
#include "base/spectrum.hpp"
#include "dsp/echo/far_spectra.hpp"
#include "dsp/echo/partition_kernels.hpp"
#include "dsp/echo/path_model.hpp"

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
        // How much of a coefficient is expected to survive a block: the room changes slowly, but it does.
        float transition = 0.9999f;
        std::size_t constrained_per_block = 4;  // partitions, in turn
        // Of the uncertainty at the beginning, which comes back with time even where nothing is heard: what has been
        // silent for long may be there again.
        float least_uncertainty = 0.0f;
    };

    // `far` must outlive the filter.
    AdaptiveFilter(const FarSpectra& far, const Config& config);

    // One block, after the far end's: writes the echo that is predicted, and what it leaves of the microphone.
    void predict(std::span<const float> microphone, std::span<float> error, std::span<float> echo) noexcept;

    // And learns from it. A model that has lost the room is forgotten: then the error is the microphone.
    void learn(std::span<const float> microphone, std::span<float> error, std::span<float> echo) noexcept;

    // What has been learned. May be replaced by what another filter on the same far end has learned.
    PathModel& model() noexcept { return model_; }
    const PathModel& model() const noexcept { return model_; }

    // Expected power of the echo that is still in the error, per bin, from the coefficients' uncertainty.
    std::span<const float> residual_power() const noexcept { return residual_; }

    // The last block's error as a spectrum, and what power it was expected to have, near end and all.
    SpectrumView error_spectrum() const noexcept { return sum_; }
    std::span<const float> expected_power() const noexcept { return expected_; }

    // What it would predict of other signals: of `other`'s channels `first`, `first + step` and so on, one for each of
    // the far end's, as far as `other` reaches back. The first `bins`, added to `sum`; half of it wraps around in time.
    void predict(const FarSpectra& other, std::size_t first, std::size_t step, Prediction sum,
                 std::size_t bins) noexcept;

    // A model as samples of a response; the mean of the channels'.
    void impulse_response(const PathModel& model, std::span<float> response) noexcept;

    void reset() noexcept;

  private:
    void predict_spectrum() noexcept;
    void adapt(std::span<const float> error) noexcept;
    void constrain(std::size_t row) noexcept;
    void recover_from_divergence(std::span<const float> microphone, std::span<float> error,
                                 std::span<float> echo) noexcept;

    const FarSpectra* far_;
    Config config_;
    const PartitionKernels* kernels_;
    std::size_t block_, bins_;
    RealFft fft_;
    PathModel model_;
    Spectrum sum_, gain_;
    std::vector<float> near_power_, residual_, expected_, share_, time_;
    std::vector<float> least_growth_;  // of the variance in a block, for each partition
    struct State {
        std::size_t to_constrain = 0;
        float microphone_energy = 0.0f, error_energy = 0.0f;
    };
    State state_;
};

}  // namespace spike
