#include "dsp/neural/layers.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "base/cpu.hpp"

namespace spike {

void Activations::clear() noexcept { std::ranges::fill(values_, 0.0f); }

Linear::Linear(const Weights& weights, std::string_view matrix, std::string_view bias, std::size_t streams)
    : matrix_(weights.matrix(matrix)),
      bias_(weights.floats(bias)),
      kernels_(&neural_kernels(active_isa())),
      quantized_width_(matrix_.packed.padded_columns()),
      sums_width_(block_rows * matrix_.packed.blocks),
      quantized_(std::min(streams, most_together) * quantized_width_),
      sums_(std::min(streams, most_together) * sums_width_) {
    if (bias_.size() != matrix_.rows)
        throw WeightsError(weights.name() + " is of another network: '" + std::string(bias) + "' does not fit '" +
                           std::string(matrix) + "'");
}

void Linear::process(const Activations& in, Activations& out) noexcept {
    for (std::size_t first = 0; first < in.streams(); first += most_together)
        process_some(in, out, first, std::min(most_together, in.streams() - first));
}

void Linear::process_some(const Activations& in, Activations& out, std::size_t first, std::size_t count) noexcept {
    std::array<const std::int8_t*, most_together> inputs{};
    std::array<std::int32_t*, most_together> sums{};
    std::array<float, most_together> units{};
    for (std::size_t i = 0; i < count; ++i) {
        std::int8_t* quantized = quantized_.data() + i * quantized_width_;
        units[i] = kernels_->quantize(in.of(first + i).data(), matrix_.columns, quantized);
        inputs[i] = quantized;
        sums[i] = sums_.data() + i * sums_width_;
    }
    kernels_->multiply(matrix_.packed, inputs.data(), sums.data(), count);
    for (std::size_t i = 0; i < count; ++i)
        kernels_->finish(sums[i], units[i], matrix_.scales, bias_.data(), out.of(first + i).data(), matrix_.rows);
}

Dense::Dense(const Weights& weights, std::string_view name, Activation activation, std::size_t streams)
    : linear_(weights, std::string(name) + ".weight", std::string(name) + ".bias", streams),
      activation_(activation),
      kernels_(&neural_kernels(active_isa())) {}

void Dense::process(const Activations& in, Activations& out) noexcept {
    linear_.process(in, out);
    const auto all = out.all();
    switch (activation_) {
        case Activation::none: break;
        case Activation::relu:
            for (float& value : all) value = std::max(value, 0.0f);
            break;
        case Activation::sigmoid: kernels_->sigmoid(all.data(), all.size()); break;
        case Activation::tanh: kernels_->tanh(all.data(), all.size()); break;
    }
}

Gru::Gru(const Weights& weights, std::string_view name, std::size_t streams)
    : from_input_(weights, std::string(name) + ".weight_ih", std::string(name) + ".bias_ih", streams),
      from_state_(weights, std::string(name) + ".weight_hh", std::string(name) + ".bias_hh", streams),
      kernels_(&neural_kernels(active_isa())),
      state_(streams, from_state_.inputs()),
      fresh_(streams, from_input_.outputs()),
      kept_(streams, from_state_.outputs()) {
    const std::size_t gates = 3 * state_.width();
    if (from_input_.outputs() != gates || from_state_.outputs() != gates)
        throw WeightsError(weights.name() + " is of another network: '" + std::string(name) + "' is no GRU");
}

const Activations& Gru::process(const Activations& in) noexcept {
    from_input_.process(in, fresh_);
    from_state_.process(state_, kept_);
    for (std::size_t stream = 0; stream < state_.streams(); ++stream)
        kernels_->update(fresh_.of(stream).data(), kept_.of(stream).data(), state_.of(stream).data(), state_.width());
    return state_;
}

}  // namespace spike
