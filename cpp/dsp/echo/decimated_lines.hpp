// The last second of both signals at some 4 kHz: what delays are found on.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace spike {

constexpr int decimated_rate_hz = 4000;

// Of how many samples one is kept, to come near to `decimated_hz`.
std::size_t decimation_factor(int sample_rate_hz, int decimated_hz) noexcept;

// Where the top of the parabola through a peak and its neighbours lies, -0.5 to 0.5 steps from the peak.
double parabola_top(float before, float here, float after) noexcept;

// A low-pass filter that keeps every `factor`-th sample.
class Decimator {
  public:
    explicit Decimator(std::size_t factor);

    // Returns how many samples it has written to `kept`.
    std::size_t process(std::span<const float> samples, std::span<float> kept) noexcept;
    void reset() noexcept;

  private:
    std::size_t factor_, phase_ = 0, at_ = 0;
    std::vector<float> taps_, history_;
};

// A signal's last samples, decimated; oldest first.
class DecimatedLine {
  public:
    // Holds `samples` of them; takes at most `most_pushed` of the others at a time.
    DecimatedLine(std::size_t factor, std::size_t samples, std::size_t most_pushed);

    // Returns how many were added.
    std::size_t push(std::span<const float> samples) noexcept;

    std::span<const float> samples() const noexcept { return line_; }
    void reset() noexcept;

  private:
    Decimator decimator_;
    std::vector<float> line_, kept_;
};

class DecimatedLines {
  public:
    struct Config {
        int sample_rate_hz = 48000;
        std::size_t max_delay_ms = 1000;
        std::size_t tail_ms = 260;  // how much older far end is kept than the longest delay needs
    };

    explicit DecimatedLines(const Config& config);

    void push(std::span<const float> microphone, std::span<const float> far) noexcept;

    // The far end reaches further back: by the longest delay, and the tail.
    std::span<const float> microphone() const noexcept { return microphone_.samples(); }
    std::span<const float> far() const noexcept { return far_.samples(); }

    std::size_t factor() const noexcept { return factor_; }
    std::size_t max_lag() const noexcept { return max_lag_; }          // the longest delay, decimated
    std::size_t new_samples() const noexcept { return new_samples_; }  // of the last block, decimated

    void reset() noexcept;

  private:
    std::size_t factor_, max_lag_, new_samples_ = 0;
    DecimatedLine microphone_, far_;
};

}  // namespace spike
