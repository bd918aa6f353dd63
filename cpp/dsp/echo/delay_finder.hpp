// Finds how long the far end takes to come back through the microphone.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/fft.hpp"

namespace spike {

// Generalised cross-correlation over about a second, on signals decimated to some 4 kHz, weighted by the far end's
// power (the Roth processor), so that speech's own spectrum does not blur the peak.
//
// Method: C. Knapp and G. Carter, "The generalized correlation method for estimation of time delay", IEEE Transactions
// on Acoustics, Speech, and Signal Processing 24 (1976).
class DelayFinder {
  public:
    struct Config {
        int sample_rate_hz = 48000;
        std::size_t max_delay_ms = 1000;
    };

    explicit DelayFinder(const Config& config);

    // Takes one block of both signals. Now and then returns a delay in samples, when it is sure of it.
    std::optional<double> process(std::span<const float> microphone, std::span<const float> far) noexcept;

    // The delay is known to have grown by so many samples: what has been averaged moves along.
    void drift(double samples) noexcept;

    void reset() noexcept;

  private:
    // A low-pass filter that keeps every `factor`-th sample.
    class Decimator {
      public:
        explicit Decimator(std::size_t factor);
        std::size_t process(std::span<const float> samples, std::span<float> kept) noexcept;
        void reset() noexcept;

      private:
        std::size_t factor_, phase_ = 0, at_ = 0;
        std::vector<float> taps_, history_;
    };

    std::optional<double> correlate() noexcept;
    double peak_offset(std::size_t lag) const noexcept;  // of the parabola through a peak, in lags

    std::size_t factor_;
    std::size_t window_;   // microphone samples a correlation, decimated
    std::size_t max_lag_;  // decimated
    RealFft fft_;
    Decimator microphone_decimator_, far_decimator_;
    std::vector<float> kept_, microphone_, far_, time_;
    std::vector<float> far_real_, far_imag_, microphone_real_, microphone_imag_, cross_real_, cross_imag_, far_power_;
    void move_evidence() noexcept;

    double drifted_ = 0.0;  // since the last correlation, decimated
    std::size_t filled_ = 0;
    std::size_t candidate_ = 0;
    int agreed_ = 0;
};

}  // namespace spike
