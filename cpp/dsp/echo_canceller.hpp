// Removes the loudspeaker's sound from the microphone and leaves the person who talks over it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "dsp/echo/echo_meter.hpp"
#include "dsp/echo/echo_return.hpp"
#include "dsp/echo/far_line.hpp"
#include "dsp/echo/far_spectra.hpp"
#include "dsp/echo/filter_pair.hpp"
#include "dsp/echo/microphone_watch.hpp"
#include "dsp/echo/onset_watch.hpp"
#include "dsp/echo/placement.hpp"
#include "dsp/echo/predistorter.hpp"
#include "dsp/echo/residual_suppressor.hpp"

namespace spike {

struct EchoStats {
    float erle_db = 0.0f;         // echo return loss enhancement while the far end is heard
    float delay_ms = 0.0f;        // from far end to microphone
    float drift_ppm = 0.0f;       // how much faster the far end's clock runs than the microphone's
    bool converged = false;       // the model takes at least 6 dB off
    float double_talk = 0.0f;     // probability that the near end talks while the far end is heard, 0 to 1
    float near_end = 0.0f;        // the same, whether or not the far end is heard
    bool delay_in_doubt = false;  // the model is wrong, and it may be that the path's delay has jumped
    float share_left = 0.0f;      // what the linear stage leaves of the microphone's power, over a tenth of a second
};

// The far end, read at the delay where `Placement` wants it and bent as the loudspeaker bends it, goes through a pair
// of adaptive filters; what they leave of its echo, the residual suppressor takes out.
class EchoCanceller {
  public:
    struct Config {
        int sample_rate_hz = 48000;
        std::size_t far_channels = 1;
        std::size_t tail_ms = 260;
        std::size_t max_delay_ms = 1000;
        std::shared_ptr<const Weights> weights = nullptr;  // of the residual stage's network; none: spectral only
    };

    // Throws std::invalid_argument where a rate or channel count is not supported, and WeightsError for weights of
    // another network.
    explicit EchoCanceller(const Config& config);

    // Its parts refer to one another.
    EchoCanceller(const EchoCanceller&) = delete;
    EchoCanceller& operator=(const EchoCanceller&) = delete;

    std::size_t frame_samples() const noexcept { return frame_; }
    std::size_t far_channels() const noexcept { return config_.far_channels; }
    std::size_t latency_samples() const noexcept { return frame_; }

    // One frame of 10 ms. `far` holds the far end's channels after one another. `out` may be `microphone`.
    void process(std::span<const float> microphone, std::span<const float> far, std::span<float> out) noexcept;

    // What the devices' timestamps say of the delay. Heeded until the model has found the echo by itself. Throws
    // std::invalid_argument outside 0 to `max_delay_ms`.
    void hint_delay(double delay_ms);

    const EchoStats& stats() const noexcept { return state_.stats; }
    void reset() noexcept;

    // Of the last frame: what the model left of the microphone, the echo it predicted, and the far end as late as it.
    std::span<const float> error() const noexcept { return filters_.error(); }
    std::span<const float> echo() const noexcept { return filters_.echo(); }
    std::span<const float> far_heard() const noexcept { return far_heard_; }  // aligned; the mean of its channels

  private:
    void read_far() noexcept;
    void predict() noexcept;
    void update_stats(std::span<const float> out) noexcept;
    void follow_the_path() noexcept;
    void try_the_onset() noexcept;
    void realign(const Placement::Order& order) noexcept;

    Config config_;
    std::size_t frame_;
    FarLine far_line_;
    Predistorter predistorter_;
    FarSpectra far_spectra_;
    FilterPair filters_;
    Placement placement_;
    MicrophoneWatch watch_;
    OnsetWatch onset_;
    EchoReturn return_;
    ResidualSuppressor suppressor_;
    EchoMeter meter_;
    std::vector<float> far_sane_, far_mono_, far_aligned_, far_heard_;
    // The suppressor delays by a frame: what leaves is measured against the microphone of the same moment.
    std::vector<float> microphone_, delayed_microphone_;
    struct State {
        int frames_since_bending = 0;
        bool is_deaf = false;        // the microphone gives nothing that was heard
        bool has_converged = false;  // in this frame
        bool is_told_delay = false;  // by `hint_delay`
        EchoStats stats;
    };
    State state_;
};

}  // namespace spike
