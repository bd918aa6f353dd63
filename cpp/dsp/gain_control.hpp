// Brings speech to one loudness, whoever talks and however far away.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dsp/voice_detector.hpp"

namespace spike {

// The level of speech is averaged over the moments at which somebody talks, slowly; where a second, quick average says
// that it has become another, that one counts. The gain that this asks for is applied to what stands out of the noise
// floor, so that pauses stay as quiet as they came, and changes without a click. A limiter with no delay follows: it
// sees the frame that it is given, and lowers the gain ahead of a peak as far as the frame reaches.
//
// Method: level and noise-aware gain as in the fixed and adaptive digital stages that telephony has (ITU-T P.56 for the
// active speech level); limiter after D. Giannoulis, M. Massberg and J. Reiss, "Digital dynamic range compressor
// design", Journal of the Audio Engineering Society 60 (2012).
class GainControl {
  public:
    struct Config {
        int sample_rate_hz = 48000;
        float target_dbfs = -23.0f;  // of speech, as its root mean square while somebody talks
        float max_gain_db = 30.0f;
    };

    static constexpr float ceiling = 0.9f;  // what no sample exceeds
    static constexpr float most_cut_db = 20.0f;

    // Throws std::invalid_argument for a rate outside 8000 to 48000, a target outside -40 to -10 dBFS or a gain outside
    // 0 to 50 dB.
    explicit GainControl(const Config& config);

    std::size_t frame_samples() const noexcept { return frame_; }
    std::size_t latency_samples() const noexcept { return 0; }

    // Who is heard in a frame: nobody, so that it gets no gain; perhaps somebody; somebody whose loudness is learned.
    enum class Talker { nobody, perhaps, somebody };

    // One frame of 10 ms. `out` may be `in`. Without a `talker` a detector of its own says whether somebody talks.
    void process(std::span<const float> in, std::span<float> out) noexcept;
    void process(std::span<const float> in, Talker talker, std::span<float> out) noexcept;

    float gain_db() const noexcept { return state_.gain_db; }  // that speech gets

    void reset() noexcept;

  private:
    void follow_noise(float level_db) noexcept;
    void learn(float level_db) noexcept;
    void follow_gain() noexcept;
    void limit(std::span<float> samples) noexcept;

    Config config_;
    std::size_t frame_;
    VoiceDetector detector_;
    float attack_step_, release_step_;  // of the limiter's gain, a sample
    std::vector<float> limits_;
    struct State {
        float noise_db = -90.0f;
        float loudest_db = -100.0f;                   // sound of speech, of late
        float slow_db = -100.0f, quick_db = -100.0f;  // of speech
        int slow_frames = 0;                          // that it is averaged over, up to a limit
        int frames_apart = 0;                         // of speech for which the two averages have differed
        float gain_db = 0.0f;                         // that speech gets
        float presence = 0.0f;                        // of something that stands out of the noise, 0 to 1
        float applied = 1.0f;                         // at the end of the last frame
        float limit = 1.0f;                           // of the limiter, at the end of the last frame
        int frames = 0;
    };
    State state_;
};

}  // namespace spike
