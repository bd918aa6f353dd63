// Removes the loudspeaker's sound from the microphone and leaves the person who talks over it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "dsp/echo/adaptive_filter.hpp"
#include "dsp/echo/decimated_lines.hpp"
#include "dsp/echo/delay_finder.hpp"
#include "dsp/echo/drift_tracker.hpp"
#include "dsp/echo/far_line.hpp"
#include "dsp/echo/far_spectra.hpp"
#include "dsp/echo/fine_alignment.hpp"
#include "dsp/echo/jump_finder.hpp"
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

    std::size_t frame_samples() const noexcept { return frame_; }
    std::size_t far_channels() const noexcept { return config_.far_channels; }
    std::size_t latency_samples() const noexcept { return frame_; }

    // One frame of 10 ms. `far` holds the far end's channels after one another. `out` may be `microphone`.
    void process(std::span<const float> microphone, std::span<const float> far, std::span<float> out) noexcept;

    // What the devices' timestamps say of the delay. Heeded until the model has found the echo by itself.
    void hint_delay(double delay_ms) noexcept;

    const EchoStats& stats() const noexcept { return stats_; }
    void reset() noexcept;

    // Of the last frame: what the model left of the microphone, the echo it predicted, and the far end as late as it.
    std::span<const float> error() const noexcept { return error_; }
    std::span<const float> echo() const noexcept { return echo_; }
    std::span<const float> far_heard() const noexcept { return far_heard_; }  // aligned; the mean of its channels

  private:
    void realign(double begin, std::ptrdiff_t blocks) noexcept;
    void follow_delay() noexcept;
    void move_model(double found) noexcept;
    void make_room_for_the_first_sound() noexcept;
    void catch_a_jump() noexcept;
    void expect_a_jump() noexcept;
    void jump(double moved) noexcept;
    bool still_works() const noexcept;
    void read_far() noexcept;
    void read_far_anew() noexcept;
    void predict(std::span<const float> microphone) noexcept;
    void relearn_a_changed_path(std::span<const float> microphone) noexcept;
    void follow_drift() noexcept;
    void update_stats(std::span<const float> microphone, std::span<const float> out, float far_power) noexcept;

    Config config_;
    std::size_t frame_;
    FarLine far_line_;
    Predistorter predistorter_;
    FarSpectra far_spectra_;
    AdaptiveFilter filter_;
    AdaptiveFilter fast_filter_;  // learns a changed room sooner, and is led astray sooner
    AdaptiveFilter old_, older_;  // what was known some time ago, while it worked
    DecimatedLines decimated_lines_;
    DelayFinder delay_finder_;
    JumpFinder jump_finder_;
    FineAlignment fine_alignment_;
    DriftTracker drift_tracker_;
    ResidualSuppressor suppressor_;
    std::vector<float> far_sane_, far_mono_, far_aligned_, far_heard_, error_, echo_, fast_error_, fast_echo_;
    // The suppressor delays by a frame: what leaves is measured against the microphone of the same moment.
    std::vector<float> microphone_, delayed_microphone_;
    double moment_ = 0.0;      // samples processed
    double begin_ = 0.0;       // the delay at which the model begins, in samples
    double placed_for_ = -1;   // the delay that it was placed for, or -1
    double proposed_ = 0.0;    // the last delay that speaks against it
    bool has_worked_ = false;  // the model has converged since it was placed
    int kept_since_ = 0, memories_ = 0;
    bool was_right_ = false;   // the model explained the microphone until now
    int settling_frames_ = 0;  // since it has jumped
    int frames_of_doubt_ = 0;  // for which the delay may have jumped
    int working_frames_ = 0;   // of a model that begins close to the loudest sound
    int proofs_ = 0;           // how much more often it was found than others
    float microphone_power_ = 0.0f, error_power_ = 0.0f, out_power_ = 0.0f;
    float recent_microphone_power_ = 0.0f, recent_error_power_ = 0.0f;
    float recent_echo_power_ = 0.0f, explained_ = 0.0f;  // the predicted echo, and its product with the microphone
    float slow_power_ = 0.0f, fast_power_ = 0.0f;        // of what the two filters leave
    float quick_microphone_power_ = 0.0f, quick_error_power_ = 0.0f, quick_echo_power_ = 0.0f, overpredicted_ = 0.0f;
    int since_relearning_ = 0, since_bending_ = 0;  // frames
    EchoStats stats_;
};

}  // namespace spike
