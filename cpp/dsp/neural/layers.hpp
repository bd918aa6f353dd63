// The layers that networks are built of. Each runs one frame of several streams at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/aligned.hpp"
#include "dsp/neural/weights.hpp"

namespace spike {

// Numbers of some streams, those of a stream side by side.
class Activations {
  public:
    Activations(std::size_t streams, std::size_t width) : width_(width), values_(streams * width) {}

    std::size_t width() const noexcept { return width_; }
    std::size_t streams() const noexcept { return values_.size() / width_; }
    std::span<float> of(std::size_t stream) noexcept { return {values_.data() + stream * width_, width_}; }
    std::span<const float> of(std::size_t stream) const noexcept { return {values_.data() + stream * width_, width_}; }
    std::span<float> all() noexcept { return values_; }
    void clear() noexcept;

  private:
    std::size_t width_;
    AlignedVector<float> values_;
};

enum class Activation { none, relu, sigmoid, tanh };

// Weights times inputs plus a bias. Inputs become int8 by the largest of each frame, products are whole numbers: the
// same on every instruction set.
class Linear {
  public:
    // `matrix` and `bias` name tensors of `weights`, which must outlive the layer.
    Linear(const Weights& weights, std::string_view matrix, std::string_view bias, std::size_t streams);

    std::size_t inputs() const noexcept { return matrix_.columns; }
    std::size_t outputs() const noexcept { return matrix_.rows; }

    void process(const Activations& in, Activations& out) noexcept;

  private:
    void process_some(const Activations& in, Activations& out, std::size_t first, std::size_t count) noexcept;

    Weights::Matrix matrix_;
    std::span<const float> bias_;
    const NeuralKernels* kernels_;
    std::size_t quantized_width_, sums_width_;
    AlignedVector<std::int8_t> quantized_;
    AlignedVector<std::int32_t> sums_;
};

// activation(weight * in + bias), as torch.nn.Linear: the matrix NAME.weight, the floats NAME.bias.
class Dense {
  public:
    Dense(const Weights& weights, std::string_view name, Activation activation, std::size_t streams);

    std::size_t inputs() const noexcept { return linear_.inputs(); }
    std::size_t outputs() const noexcept { return linear_.outputs(); }

    void process(const Activations& in, Activations& out) noexcept;

  private:
    Linear linear_;
    Activation activation_;
    const NeuralKernels* kernels_;
};

// A gated recurrent unit (Cho et al. 2014), as torch.nn.GRU of one layer: the matrices NAME.weight_ih and
// NAME.weight_hh and the floats NAME.bias_ih and NAME.bias_hh, gates in the order reset, update, new.
class Gru {
  public:
    Gru(const Weights& weights, std::string_view name, std::size_t streams);

    std::size_t inputs() const noexcept { return from_input_.inputs(); }
    std::size_t outputs() const noexcept { return state_.width(); }

    // Takes a frame; what comes out is the state until the next.
    const Activations& process(const Activations& in) noexcept;
    void reset() noexcept { state_.clear(); }

  private:
    Linear from_input_, from_state_;
    const NeuralKernels* kernels_;
    Activations state_, fresh_, kept_;
};

}  // namespace spike
