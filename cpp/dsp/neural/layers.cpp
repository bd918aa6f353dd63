#include "dsp/neural/layers.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "base/cpu.hpp"

namespace spike {
namespace {

std::span<const float> bias_of(const Weights& weights, const std::string& tensor, std::size_t count) {
    const auto bias = weights.floats(tensor);
    if (bias.size() != count)
        throw WeightsError(weights.name() + " is of another network: '" + tensor + "' does not fit its matrix");
    return bias;
}

}  // namespace

void Activations::clear() noexcept { std::fill(values_.begin(), values_.end(), 0.0f); }

Linear::Linear(const Weights& weights, std::string_view tensor, std::size_t streams)
    : matrix_(weights.matrix(tensor)),
      kernels_(&neural_kernels(active_isa())),
      quantized_width_(2 * matrix_.packed.pairs),
      sums_width_(block_rows * matrix_.packed.blocks),
      quantized_(std::min(streams, most_together) * quantized_width_),
      sums_(std::min(streams, most_together) * sums_width_) {}

void Linear::process(const Activations& in, Activations& out) noexcept {
    for (std::size_t first = 0; first < in.streams(); first += most_together)
        process_some(in, out, first, std::min(most_together, in.streams() - first));
}

void Linear::process_some(const Activations& in, Activations& out, std::size_t first, std::size_t count) noexcept {
    std::array<const std::int16_t*, most_together> inputs{};
    std::array<std::int32_t*, most_together> sums{};
    std::array<float, most_together> units{};
    for (std::size_t i = 0; i < count; ++i) {
        std::int16_t* quantized = quantized_.data() + i * quantized_width_;
        units[i] = kernels_->quantize(in.of(first + i).data(), matrix_.columns, quantized);
        inputs[i] = quantized;
        sums[i] = sums_.data() + i * sums_width_;
    }
    kernels_->multiply(matrix_.packed, inputs.data(), sums.data(), count);
    for (std::size_t i = 0; i < count; ++i) {
        float* made = out.of(first + i).data();
        for (std::size_t row = 0; row < matrix_.rows; ++row)
            made[row] = static_cast<float>(sums[i][row]) * (units[i] * matrix_.scales[row]);
    }
}

Dense::Dense(const Weights& weights, std::string_view name, Activation activation, std::size_t streams)
    : linear_(weights, std::string(name) + ".weight", streams),
      bias_(bias_of(weights, std::string(name) + ".bias", linear_.outputs())),
      activation_(activation),
      kernels_(&neural_kernels(active_isa())) {}

void Dense::process(const Activations& in, Activations& out) noexcept {
    linear_.process(in, out);
    for (std::size_t stream = 0; stream < out.streams(); ++stream) {
        const auto made = out.of(stream);
        for (std::size_t i = 0; i < made.size(); ++i) made[i] += bias_[i];
    }
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
    : from_input_(weights, std::string(name) + ".weight_ih", streams),
      from_state_(weights, std::string(name) + ".weight_hh", streams),
      input_bias_(bias_of(weights, std::string(name) + ".bias_ih", from_input_.outputs())),
      state_bias_(bias_of(weights, std::string(name) + ".bias_hh", from_state_.outputs())),
      kernels_(&neural_kernels(active_isa())),
      state_(streams, from_state_.inputs()),
      input_part_(streams, from_input_.outputs()),
      state_part_(streams, from_state_.outputs()) {
    const std::size_t gates = 3 * state_.width();
    if (from_input_.outputs() != gates || from_state_.outputs() != gates)
        throw WeightsError(weights.name() + " is of another network: '" + std::string(name) + "' is no GRU");
}

const Activations& Gru::process(const Activations& in) noexcept {
    from_input_.process(in, input_part_);
    from_state_.process(state_, state_part_);
    const std::size_t width = state_.width();
    for (std::size_t stream = 0; stream < state_.streams(); ++stream) {
        float* gates = input_part_.of(stream).data();
        const float* kept = state_part_.of(stream).data();
        float* fresh = gates + 2 * width;
        for (std::size_t i = 0; i < 2 * width; ++i) gates[i] += kept[i] + (input_bias_[i] + state_bias_[i]);
        kernels_->sigmoid(gates, 2 * width);
        for (std::size_t i = 0; i < width; ++i)
            fresh[i] += input_bias_[2 * width + i] + gates[i] * (kept[2 * width + i] + state_bias_[2 * width + i]);
        kernels_->tanh(fresh, width);
        float* state = state_.of(stream).data();
        for (std::size_t i = 0; i < width; ++i) state[i] = fresh[i] + gates[width + i] * (state[i] - fresh[i]);
    }
    return state_;
}

}  // namespace spike
