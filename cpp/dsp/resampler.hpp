// Changes the sampling rate of a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>

#include "dsp/resampler/polyphase_filter.hpp"

namespace spike {

// Each output is the product of the inputs around it with one row of a polyphase filter. What comes out does not depend
// on how the stream is cut, and after n inputs exactly floor(n * to / from) outputs have come.
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

    // `count` inputs of float or int16; returns the outputs per channel, due(count, last) of them. `last` completes the
    // stream to round(n * to / from) outputs and begins a new one.
    template <typename Sample>
    std::size_t process(Strided<const Sample> in, std::size_t count, Strided<Sample> out, bool last = false) noexcept;

    // Move to `ratio`, to over from, smoothly over 10 ms. Allocates at its first call. Throws std::invalid_argument
    // where it differs by more than 5 % from to_hz / from_hz.
    void set_ratio(double ratio);

    void reset() noexcept;

  private:
    // The variant always holds one of its two: std::visit, which throws where it holds none, would not be noexcept.
    template <typename Self, typename Visitor>
    static decltype(auto) with_filter(Self& self, Visitor&& visitor) {
        auto* const single = std::get_if<PolyphaseFilter<float>>(&self.filter_);
        return single != nullptr ? visitor(*single) : visitor(*std::get_if<PolyphaseFilter<double>>(&self.filter_));
    }

    std::size_t varied_due(std::size_t count) const noexcept;

    Config config_;
    InterpolationFilter shape_;
    std::uint64_t up_, down_;  // the ratio in lowest terms: up_ outputs for down_ inputs
    std::size_t latency_;
    std::size_t lead_;  // zeros that a stream begins with
    std::variant<PolyphaseFilter<float>, PolyphaseFilter<double>> filter_;
    bool varies_ = false;                     // set_ratio has been called
    std::uint64_t inputs_ = 0, outputs_ = 0;  // of this stream
    Walk walk_;
};

}  // namespace spike
