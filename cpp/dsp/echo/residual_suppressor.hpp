// Takes out of the adaptive filter's error what echo is left in it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/spectrum.hpp"
#include "base/stft.hpp"
#include "dsp/echo/echo_mask.hpp"
#include "dsp/echo/echo_return.hpp"

namespace spike {

// A Wiener gain per frequency against an estimate of the residual echo's power. The estimate joins two views: the
// adaptive filter's own uncertainty, and the leakage, the share of the predicted echo whose ups and downs are found
// again in the error. The near end, which follows neither, stays. With weights, a network has the word below 8 kHz.
//
// Method: leakage after J.-M. Valin, "On adjusting the learning rate in frequency domain echo cancellation with
// double-talk", IEEE Transactions on Audio, Speech, and Language Processing 15 (2007); decision-directed gain after
// Y. Ephraim and D. Malah (1984). Delays by one block.
class ResidualSuppressor {
  public:
    struct Config {
        std::size_t block_samples = 480;
        int sample_rate_hz = 48000;
        std::shared_ptr<const Weights> weights = nullptr;  // none: spectral only
    };

    // One block of what the adaptive filter was given and what it made of it.
    struct Block {
        std::span<const float> microphone, error, echo, far;
        bool is_deaf = false;  // the microphone gives nothing that was heard: it says nothing of the room's noise
    };

    // Throws WeightsError for weights of another network.
    explicit ResidualSuppressor(const Config& config);

    // Takes a block: the spectra of error and echo are there to read until `suppress`.
    void analyse(const Block& block) noexcept;
    SpectrumView microphone() const noexcept { return microphone_.spectrum; }
    SpectrumView error() const noexcept { return error_.spectrum; }
    SpectrumView echo() const noexcept { return echo_.spectrum; }

    // What is left of that block. `uncertainty`: residual power per bin as AdaptiveFilter gives it. What is louder than
    // any echo can be, is kept.
    void suppress(std::span<const float> uncertainty, const EchoReturn& most, std::span<float> out) noexcept;

    // How likely the near end talks, 0 to 1, as of the last block.
    float near_end_probability() const noexcept { return state_.near_end_probability; }

    void reset() noexcept;

  private:
    void update_leakage() noexcept;
    void update_residual(std::span<const float> uncertainty) noexcept;
    void update_gains() noexcept;
    void protect(const EchoReturn& most) noexcept;
    void ask_network() noexcept;

    Stft stft_;
    std::size_t speech_from_, speech_to_;  // the bins of 200 to 4000 Hz
    Stft::Analysis microphone_, error_, echo_, far_;
    Stft::Synthesis cleaned_;
    std::vector<float> error_power_, echo_power_;  // of this block
    std::vector<float> error_mean_, echo_mean_;    // tracked
    std::vector<float> cross_variation_, echo_variation_;
    Spectrum kept_;  // what the network keeps of the error
    std::vector<float> echo_tail_, residual_, noise_, clean_, gain_;
    std::vector<float> protected_;  // how much of each bin is no echo for certain, 0 to 1
    struct State {
        float near_end_probability = 0.0f;
        float certain_presence = 0.0f;  // share of what was heard that is no echo for certain
        bool is_deaf = false;
        float presence = 0.0f;  // of the near end: what the network said of late
        std::size_t blocks = 0;
        int far_blocks_left = 0;  // for which the far end counts as heard
    };
    State state_;
    std::unique_ptr<EchoMask> mask_;
};

}  // namespace spike
