#include "dsp/resampler.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "base/denormals.hpp"

namespace spike {
namespace {

// Inputs that are taken in at once; longer calls run in pieces. 50 ms at 48 kHz: whole blocks of a decimation.
constexpr std::size_t piece_samples = 2400;
// Above this many phases (44100 to 44123, say) the coefficients are interpolated like those of a ratio that varies.
constexpr std::uint64_t most_rows = 1024;
// Units of a ratio that varies: in a day its rounding adds up to a hundredth of a sample.
constexpr std::uint64_t varied_units = std::uint64_t{1} << 40;

Resampler::Config validated(const Resampler::Config& config) {
    for (const int rate_hz : {config.from_hz, config.to_hz})
        if (rate_hz < Resampler::least_rate_hz || rate_hz > Resampler::most_rate_hz)
            throw std::invalid_argument("from_hz and to_hz must be from 8000 to 192000, not " +
                                        std::to_string(rate_hz));
    if (config.channels < 1 || config.channels > Resampler::most_channels)
        throw std::invalid_argument("channels must be from 1 to 8, not " + std::to_string(config.channels));
    return config;
}

std::variant<PolyphaseFilter<float>, PolyphaseFilter<double>> make_filter(const InterpolationFilter& shape,
                                                                          const Resampler::Config& config,
                                                                          std::size_t lead) {
    const double most_ratio = (1.0 + Resampler::most_deviation) * config.to_hz / config.from_hz;
    const auto longest_output = static_cast<std::size_t>(most_ratio * piece_samples) + 2;
    if (config.quality == ResamplerQuality::mastering)
        return PolyphaseFilter<double>(shape, {config.channels, lead, piece_samples, longest_output, config.isa});
    return PolyphaseFilter<float>(shape, {config.channels, lead, piece_samples, longest_output, config.isa});
}

}  // namespace

Resampler::Resampler(const Config& config)
    : config_(validated(config)),
      shape_(config.from_hz, config.to_hz, config.quality),
      up_(static_cast<std::uint64_t>(config.to_hz / std::gcd(config.from_hz, config.to_hz))),
      down_(static_cast<std::uint64_t>(config.from_hz / std::gcd(config.from_hz, config.to_hz))),
      // Output k is due after (k + 1) * down / up inputs, and its last input must be among them.
      latency_(static_cast<std::size_t>(((shape_.half_taps() + 1) * up_ + down_ - 1) / down_)),
      lead_(static_cast<std::size_t>((latency_ * down_ + up_ - 1) / up_) + shape_.half_taps() - 1),
      filter_(make_filter(shape_, config, lead_)) {
    with_filter(*this, [this](auto& filter) {
        if (up_ == down_)
            filter.make_delay();
        else if (up_ <= most_rows)
            filter.make_rows(up_, down_);
        else
            filter.make_cells(up_);
    });
    reset();
}

void Resampler::reset() noexcept {
    with_filter(*this, [](auto& filter) { filter.reset(); });
    inputs_ = outputs_ = 0;
    // Output 0 lies latency * down / up inputs before input 0.
    const std::uint64_t phase = (up_ - latency_ * down_ % up_) % up_;
    walk_ = Walk({.first = 0, .phase = phase}, up_, down_);
    if (varies_) walk_.refine(varied_units);
}

void Resampler::set_ratio(double ratio) {
    const double nominal = static_cast<double>(up_) / static_cast<double>(down_);
    if (!(std::abs(ratio / nominal - 1.0) <= most_deviation))
        throw std::invalid_argument("ratio must be within 5 % of to_hz / from_hz, " + std::to_string(nominal) +
                                    ", not " + std::to_string(ratio));
    if (!varies_) {
        with_filter(*this, [](auto& filter) { filter.make_cells(varied_units); });
        walk_.refine(varied_units);
        varies_ = true;
    }
    walk_.glide(std::llround(static_cast<double>(varied_units) / ratio), static_cast<std::size_t>(config_.to_hz / 100));
}

std::size_t Resampler::varied_due(std::size_t count) const noexcept {
    const std::size_t filled = with_filter(*this, [](const auto& filter) { return filter.filled(); });
    const auto reach =
        static_cast<std::ptrdiff_t>(filled + count) - static_cast<std::ptrdiff_t>(2 * shape_.half_taps());
    std::size_t outputs = 0;
    Walk walk = walk_;
    for (; !walk.steady() && walk.place.first <= reach; ++outputs) walk.move();
    return outputs + walk.moves_until(reach);
}

std::size_t Resampler::due(std::size_t count, bool last) const noexcept {
    if (varies_) return varied_due(count);
    const std::uint64_t inputs = inputs_ + count;
    const std::uint64_t total = last ? (2 * inputs * up_ + down_) / (2 * down_) : inputs * up_ / down_;
    return static_cast<std::size_t>(total - outputs_);
}

template <typename Sample>
std::size_t Resampler::process(Strided<const Sample> in, std::size_t count, Strided<Sample> out, bool last) noexcept {
    const DenormalsOff denormals_off;
    return with_filter(*this, [&](auto& filter) {
        std::size_t total = 0;
        const auto produce = [&](std::size_t outputs) {
            walk_ = filter.produce(walk_, out.from(total), outputs);
            outputs_ += outputs;
            total += outputs;
        };
        for (std::size_t done = 0; done < count;) {
            const std::size_t piece = std::min(count - done, piece_samples);
            const std::size_t outputs = due(piece);
            walk_.place.first -= static_cast<std::ptrdiff_t>(filter.store(in.from(done), piece, walk_.place.first));
            inputs_ += piece;
            done += piece;
            produce(outputs);
        }
        if (last) {
            produce(due(0, true));  // at most one: the half that rounding adds
            reset();
        }
        return total;
    });
}

template std::size_t Resampler::process(Strided<const float>, std::size_t, Strided<float>, bool) noexcept;
template std::size_t Resampler::process(Strided<const std::int16_t>, std::size_t, Strided<std::int16_t>, bool) noexcept;

}  // namespace spike
