// Changes the sampling rate of a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dsp/resampler/dot_product.hpp"
#include "dsp/resampler/interpolation_filter.hpp"

namespace spike {

// A polyphase filter: each output is the dot product of the inputs around it with one row of coefficients. What comes
// out does not depend on how the stream is cut, and after n inputs exactly floor(n * to / from) outputs have come.
//
// Method: R. Crochiere and L. Rabiner, "Multirate Digital Signal Processing", 1983, chapter 3; between phases, for
// ratios that vary, J. Smith, "Digital audio resampling", 2002.
class Resampler {
  public:
    struct Config {
        int from_hz = 48000;
        int to_hz = 48000;
        std::size_t channels = 1;
        ResamplerQuality quality = ResamplerQuality::voice;
        Isa isa = active_isa();
    };

    static constexpr int least_rate_hz = 8000, most_rate_hz = 192000;
    static constexpr std::size_t most_channels = 8;
    static constexpr double most_deviation = 0.05;

    // Throws std::invalid_argument for a rate or a number of channels that is out of range.
    explicit Resampler(const Config& config);

    std::size_t channels() const noexcept { return config_.channels; }

    // Delay of the output, in output samples.
    std::size_t latency_samples() const noexcept { return latency_; }

    // How many outputs the next call with `count` inputs gives.
    std::size_t due(std::size_t count, bool last = false) const noexcept;

    // `in` and `out` interleaved, float or int16; returns the outputs per channel, due(count, last) of them. `last`
    // completes the stream to round(n * to / from) outputs and begins a new one.
    template <typename Sample>
    std::size_t process(const Sample* in, std::size_t count, Sample* out, bool last = false) noexcept;

    // Move to `ratio`, to over from, smoothly over 10 ms. Allocates at its first call. Throws std::invalid_argument
    // where it differs by more than 5 % from to_hz / from_hz.
    void set_ratio(double ratio);

    void reset() noexcept;

  private:
    void make_rows(std::size_t phases);
    std::size_t varied_due(std::size_t count) const noexcept;
    template <typename Sample>
    void store(const Sample* in, std::size_t count) noexcept;
    template <typename Sample>
    void produce(Sample* out, std::size_t count) noexcept;
    float interpolate(const float* inputs) const noexcept;
    void advance() noexcept;

    // Where the next output lies: its first input, and how far it is from an input sample.
    struct Position {
        std::ptrdiff_t first = 0;  // an index into the history
        std::uint64_t phase = 0;   // in units of 1 / up_ inputs, while the ratio is fixed
        double moment = 0.0;       // 0 to 1 inputs, once it varies
        double step = 1.0;         // inputs per output, once it varies

        void move(double target_step, double step_change) noexcept;
    };

    Config config_;
    const DotProduct* kernel_;
    InterpolationFilter filter_;
    std::uint64_t up_, down_;  // the ratio in lowest terms: up_ outputs for down_ inputs
    std::size_t taps_;         // of a row, padded
    std::size_t phases_ = 0;
    bool interpolates_;    // between rows, for there are more moments than rows
    bool varies_ = false;  // set_ratio has been called
    std::size_t latency_;
    std::size_t lead_;      // zeros that the history begins with
    std::size_t capacity_;  // of the history of one channel
    std::vector<float> rows_, history_;
    std::size_t filled_ = 0;
    std::uint64_t inputs_ = 0, outputs_ = 0;  // of this stream
    Position position_;
    double target_step_ = 1.0, step_change_ = 0.0;
};

}  // namespace spike
