#include "convert/scale.hpp"

#include <algorithm>
#include <cmath>

namespace spike {

AxisWeights::AxisWeights(std::size_t from, std::size_t to) {
    const double step = static_cast<double>(from) / static_cast<double>(to);
    for (std::size_t index = 0; index < to; ++index) {
        // Shrinking, an output covers `step` inputs; growing, it lies between two.
        const double centre = (static_cast<double>(index) + 0.5) * step;
        const double reach = std::max(step, 1.0) / 2.0;
        const double low = centre - reach;
        const auto limit = static_cast<double>(from - 1);
        const auto first = static_cast<std::size_t>(std::clamp(std::floor(low), 0.0, limit));
        const auto last = static_cast<std::size_t>(
            std::clamp(step > 1.0 ? std::ceil(centre + reach) - 1.0 : std::floor(centre - 0.5) + 1.0, 0.0, limit));
        first_.push_back(first);
        offset_.push_back(weights_.size());
        double sum = 0.0;
        std::vector<double> weights;
        for (std::size_t input = first; input <= last; ++input) {
            const auto position = static_cast<double>(input);
            const double weight = step > 1.0 ? std::min(position + 1.0, centre + reach) - std::max(position, low)
                                             : std::max(0.0, 1.0 - std::abs(position + 0.5 - centre));
            weights.push_back(weight);
            sum += weight;
        }
        for (const double weight : weights) weights_.push_back(static_cast<float>(weight / sum));
    }
    offset_.push_back(weights_.size());
}

AxisWeights::Span AxisWeights::at(std::size_t index) const noexcept {
    return {first_[index], offset_[index + 1] - offset_[index], weights_.data() + offset_[index]};
}

void scale_plane(const std::uint8_t* in, std::ptrdiff_t in_stride, std::size_t in_width, std::size_t in_height,
                 std::uint8_t* out, std::ptrdiff_t out_stride, std::size_t out_width, std::size_t out_height,
                 std::size_t channels) {
    const AxisWeights columns(in_width, out_width), rows(in_height, out_height);
    const std::size_t in_bytes = in_width * channels;
    std::vector<float> line(in_bytes);
    for (std::size_t y = 0; y < out_height; ++y) {
        const auto vertical = rows.at(y);
        std::fill(line.begin(), line.end(), 0.5f);  // the half that rounds
        for (std::size_t n = 0; n < vertical.count; ++n) {
            const std::uint8_t* row = in + static_cast<std::ptrdiff_t>(vertical.first + n) * in_stride;
            const float weight = vertical.weights[n];
            for (std::size_t byte = 0; byte < in_bytes; ++byte) line[byte] += weight * row[byte];
        }
        std::uint8_t* to = out + static_cast<std::ptrdiff_t>(y) * out_stride;
        for (std::size_t x = 0; x < out_width; ++x) {
            const auto horizontal = columns.at(x);
            for (std::size_t channel = 0; channel < channels; ++channel) {
                float sum = 0.0f;
                for (std::size_t n = 0; n < horizontal.count; ++n)
                    sum += horizontal.weights[n] * line[(horizontal.first + n) * channels + channel];
                *to++ = static_cast<std::uint8_t>(std::min(sum, 255.0f));
            }
        }
    }
}

}  // namespace spike
