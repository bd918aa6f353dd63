// What the package's networks share, as `MaskNetwork` in training/noise/network.py.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "dsp/neural/layers.hpp"
#include "dsp/neural/weights.hpp"

namespace spike {

// A dense layer, two gated recurrent units whose outputs are added, and three heads: gains of bands, filters of low
// bins, the probability of a voice. Several streams side by side: their features are written, then all think together.
class MaskNetwork {
  public:
    struct Shape {
        std::size_t features, bands, filters;
    };

    MaskNetwork(std::shared_ptr<const Weights> weights, std::size_t streams);

    // Throws WeightsError, which names `owner`, where the weights are of another shape.
    void require(const Shape& shape, std::string_view owner) const;

    const Weights& weights() const noexcept { return *weights_; }
    std::size_t filters() const noexcept { return filters_.width(); }

    std::span<float> features(std::size_t stream) noexcept { return features_.of(stream); }
    void think() noexcept;

    std::span<const float> features(std::size_t stream) const noexcept { return features_.of(stream); }
    std::span<const float> gains(std::size_t stream) const noexcept { return gains_.of(stream); }
    // Real parts of all taps, then imaginary ones.
    std::span<const float> filters(std::size_t stream) const noexcept { return filters_.of(stream); }
    float voice_probability(std::size_t stream) const noexcept { return voice_.of(stream)[0]; }

    void reset() noexcept;

  private:
    std::shared_ptr<const Weights> weights_;
    Dense inputs_, gain_head_, filter_head_, voice_head_;
    Gru first_, second_;
    Activations features_, joined_, gains_, filters_, voice_;
};

}  // namespace spike
