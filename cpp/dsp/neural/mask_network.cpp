#include "dsp/neural/mask_network.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

namespace spike {

MaskNetwork::MaskNetwork(std::shared_ptr<const Weights> weights, std::size_t streams)
    : weights_(std::move(weights)),
      inputs_(*weights_, "inputs", Activation::relu, streams),
      gain_head_(*weights_, "gains", Activation::sigmoid, streams),
      filter_head_(*weights_, "filters", Activation::tanh, streams),
      voice_head_(*weights_, "voice", Activation::sigmoid, streams),
      first_(*weights_, "first", streams),
      second_(*weights_, "second", streams),
      features_(streams, inputs_.inputs()),
      joined_(streams, inputs_.outputs()),
      gains_(streams, gain_head_.outputs()),
      filters_(streams, filter_head_.outputs()),
      voice_(streams, voice_head_.outputs()) {}

void MaskNetwork::require(const Shape& shape, std::string_view owner) const {
    const std::size_t width = joined_.width();
    const bool fits = features_.width() == shape.features && gains_.width() == shape.bands &&
                      filters_.width() == shape.filters && first_.inputs() == width && first_.outputs() == width &&
                      second_.inputs() == width && second_.outputs() == width && gain_head_.inputs() == width &&
                      filter_head_.inputs() == width && voice_head_.inputs() == width && voice_.width() == 1;
    if (!fits) throw WeightsError(weights_->name() + " is of another network than " + std::string(owner));
}

void MaskNetwork::think() noexcept {
    inputs_.process(features_, joined_);
    const Activations& first = first_.process(joined_);
    const Activations& second = second_.process(first);
    for (std::size_t stream = 0; stream < joined_.streams(); ++stream)
        std::ranges::transform(first.of(stream), second.of(stream), joined_.of(stream).begin(), std::plus<>());
    gain_head_.process(joined_, gains_);
    filter_head_.process(joined_, filters_);
    voice_head_.process(joined_, voice_);
}

void MaskNetwork::reset() noexcept {
    first_.reset();
    second_.reset();
    voice_.clear();
}

}  // namespace spike
