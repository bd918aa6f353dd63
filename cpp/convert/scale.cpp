#include "convert/scale.hpp"

#include <algorithm>
#include <cmath>

namespace spike {
namespace {

double linear(double distance) noexcept { return std::max(0.0, 1.0 - std::abs(distance)); }

double cubic(double distance) noexcept {
    constexpr double a = -0.5;
    const double x = std::abs(distance);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? a * (((x - 5.0) * x + 8.0) * x - 4.0) : 0.0;
}

// What an output at `centre`, that covers `step` inputs, takes from the input at `position`.
double weight_of(Scaling scaling, double position, double centre, double step) noexcept {
    if (scaling == Scaling::area && step > 1.0) {
        const double low = std::max(position, centre - step / 2), high = std::min(position + 1, centre + step / 2);
        return std::max(0.0, high - low);
    }
    const double distance = (position + 0.5 - centre) / std::max(step, 1.0);
    return scaling == Scaling::bicubic ? cubic(distance) : linear(distance);
}

// Integers in the proportions of `weights`, with the sum 2^bits: what rounding leaves over goes to the largest.
void quantise(const double* weights, std::size_t taps, int bits, std::int32_t most, std::uint16_t* out) {
    std::int32_t sum = 0;
    std::size_t largest = 0;
    for (std::size_t tap = 0; tap < taps; ++tap) {
        const auto weight = static_cast<std::int32_t>(std::lround(std::ldexp(weights[tap], bits)));
        out[tap] = static_cast<std::uint16_t>(std::min(weight, most));
        sum += weight;
        if (weights[tap] > weights[largest]) largest = tap;
    }
    const std::int32_t rest = (1 << bits) - sum;
    const auto top = static_cast<std::int32_t>(std::lround(std::ldexp(weights[largest], bits)));
    out[largest] = static_cast<std::uint16_t>(std::min(top + rest, most));
}

std::vector<std::uint16_t> quantised(const AxisWeights& axis, int bits, std::int32_t most) {
    std::vector<std::uint16_t> weights(axis.weights.size());
    for (std::size_t at = 0; at < weights.size(); at += axis.taps)
        quantise(&axis.weights[at], axis.taps, bits, most, &weights[at]);
    return weights;
}

}  // namespace

AxisWeights::AxisWeights(std::size_t from, std::size_t to, Scaling scaling) {
    const double step = static_cast<double>(from) / static_cast<double>(to), stretch = std::max(step, 1.0);
    const bool box = scaling == Scaling::area && step > 1.0;
    const double reach = box ? step / 2 : scaling == Scaling::bicubic ? 2 * stretch : stretch;
    taps = std::min(static_cast<std::size_t>(std::ceil(2 * reach)) + (box ? 1 : 0), from);
    weights.resize(to * taps);
    const auto last = static_cast<std::ptrdiff_t>(from) - 1;
    for (std::size_t index = 0; index < to; ++index) {
        const double centre = (static_cast<double>(index) + 0.5) * step;
        const auto low = static_cast<std::ptrdiff_t>(std::floor(box ? centre - reach + 1e-9 : centre - reach + 0.5));
        const std::ptrdiff_t begin = std::clamp<std::ptrdiff_t>(low, 0, last + 1 - static_cast<std::ptrdiff_t>(taps));
        first.push_back(static_cast<std::uint32_t>(begin));
        double* row = &weights[index * taps];
        double sum = 0.0;
        for (auto position = low; position <= low + static_cast<std::ptrdiff_t>(taps); ++position) {
            const double weight = weight_of(scaling, static_cast<double>(position), centre, step);
            const auto inside = std::clamp(position, begin, begin + static_cast<std::ptrdiff_t>(taps) - 1);
            if (position < 0 || position > last || inside == position)
                row[inside - begin] += weight;  // the edge repeats
            sum += weight;
        }
        for (std::size_t tap = 0; tap < taps; ++tap) row[tap] /= sum;
    }
    while (taps > 1) {  // a last tap that nobody uses
        bool used = false;
        for (std::size_t at = taps - 1; at < weights.size(); at += taps) used |= std::abs(weights[at]) > 1e-9;
        if (used) break;
        std::vector<double> fewer;
        for (std::size_t at = 0; at < weights.size(); ++at)
            if (at % taps != taps - 1) fewer.push_back(weights[at]);
        weights = std::move(fewer);
        --taps;
    }
}

PlaneScaler::PlaneScaler(const PlaneShape& from, const PlaneShape& to, Scaling scaling, const ScaleRowsKernels& rows)
    : rows_(rows),
      signed_(scaling == Scaling::bicubic),
      in_bytes_(from.row_bytes()),
      down_(from.rows, to.rows, scaling),
      down_weights_(signed_ ? quantised(down_, 14, 32767) : quantised(down_, 16, 65535)),
      line_(from.row_bytes() + row_padding),
      taps_(down_.taps) {
    const AxisWeights columns(from.pixels, to.pixels, scaling);
    const std::vector<std::uint16_t> weights = signed_ ? quantised(columns, 14, 32767) : quantised(columns, 16, 65535);
    across_.count = to.row_bytes();
    across_.taps = columns.taps;
    across_.step = from.bytes;
    for (std::size_t pixel = 0; pixel < to.pixels; ++pixel) {
        for (std::size_t channel = 0; channel < to.bytes; ++channel) {
            across_.first.push_back(static_cast<std::uint32_t>(columns.first[pixel] * from.bytes + channel));
            const auto begin = weights.begin() + static_cast<std::ptrdiff_t>(pixel * columns.taps);
            across_.weights.insert(across_.weights.end(), begin, begin + static_cast<std::ptrdiff_t>(columns.taps));
        }
    }
    rows_.plan(across_);
}

void PlaneScaler::run(const std::uint8_t* in, std::ptrdiff_t in_stride, std::uint8_t* out, std::ptrdiff_t out_stride,
                      std::size_t first, std::size_t count) noexcept {
    for (std::size_t y = first; y < first + count; ++y, out += out_stride) {
        for (std::size_t tap = 0; tap < down_.taps; ++tap)
            taps_[tap] = in + static_cast<std::ptrdiff_t>(down_.first[y] + tap) * in_stride;
        const std::uint16_t* weights = &down_weights_[y * down_.taps];
        (signed_ ? rows_.down_signed : rows_.down)(taps_.data(), weights, down_.taps, line_.data(), in_bytes_);
        (signed_ ? rows_.across_signed : rows_.across)(line_.data(), across_, out);
    }
}

}  // namespace spike
