// Weights are read as written or refused; layers give what their formulas say, on every instruction set.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/cpu.hpp"
#include "dsp/neural/layers.hpp"

namespace {

using Values = std::vector<float>;

std::uint32_t crc32(const std::vector<std::byte>& bytes, std::size_t from) {
    std::uint32_t rest = ~0u;
    for (std::size_t i = from; i < bytes.size(); ++i) {
        rest ^= static_cast<std::uint32_t>(bytes[i]);
        for (int bit = 0; bit < 8; ++bit) rest = rest & 1 ? 0xEDB88320u ^ (rest >> 1) : rest >> 1;
    }
    return ~rest;
}

// Writes a file tensor by tensor, as training/noise/export.py does.
class Writer {
  public:
    void floats(const std::string& name, const Values& values) {
        add(name, 0, 1, values.size());
        append(values.data(), values.size() * sizeof(float));
    }

    // `values` row by row, whole numbers up to 127, of which one stands for `scale`.
    void matrix(const std::string& name, std::size_t rows, std::size_t columns, const Values& values, float scale) {
        add(name, 1, rows, columns);
        for (std::size_t block = 0; block < rows; block += spike::block_rows)
            for (std::size_t column = 0; column < columns; column += 2)
                for (std::size_t row = block; row < block + spike::block_rows; ++row)
                    for (std::size_t at = column; at < column + 2; ++at) {
                        const bool within = row < rows && at < columns;
                        const auto weight = static_cast<std::int8_t>(within ? values[row * columns + at] : 0.0f);
                        append(&weight, 1);
                    }
        align();
        const Values scales(rows, scale);
        append(scales.data(), rows * sizeof(float));
    }

    std::vector<std::byte> file() const {
        std::vector<std::byte> made(begin);
        std::memcpy(made.data(), "SPKWGT\0\0", 8);
        put(made, 8, spike::Weights::version);
        put(made, 16, static_cast<std::uint32_t>(tensors_.size()));
        for (std::size_t i = 0; i < tensors_.size(); ++i) {
            std::memcpy(made.data() + 20 + 48 * i, tensors_[i].name.data(), tensors_[i].name.size());
            for (std::size_t k = 0; k < 4; ++k) put(made, 20 + 48 * i + 32 + 4 * k, tensors_[i].numbers[k]);
        }
        made.insert(made.end(), data_.begin(), data_.end());
        put(made, 12, crc32(made, 16));
        return made;
    }

    static constexpr std::size_t begin = 1024;  // where data begin: room for a table of twenty

  private:
    struct Tensor {
        std::string name;
        std::array<std::uint32_t, 4> numbers;
    };

    static void put(std::vector<std::byte>& bytes, std::size_t at, std::uint32_t number) {
        std::memcpy(bytes.data() + at, &number, sizeof number);
    }
    void add(const std::string& name, std::uint32_t kind, std::size_t rows, std::size_t columns) {
        align();
        tensors_.push_back({name,
                            {kind, static_cast<std::uint32_t>(rows), static_cast<std::uint32_t>(columns),
                             static_cast<std::uint32_t>(begin + data_.size())}});
    }
    void append(const void* from, std::size_t count) {
        const auto* bytes = static_cast<const std::byte*>(from);
        data_.insert(data_.end(), bytes, bytes + count);
    }
    void align() { data_.resize((data_.size() + 63) / 64 * 64); }

    std::vector<Tensor> tensors_;
    std::vector<std::byte> data_;
};

class Random {
  public:
    Values whole(std::size_t count) {
        std::uniform_int_distribution<int> weights(-127, 127);
        Values made(count);
        for (float& value : made) value = static_cast<float>(weights(engine_));
        return made;
    }
    Values normal(std::size_t count) {
        std::normal_distribution<float> numbers;
        Values made(count);
        for (float& value : made) value = numbers(engine_);
        return made;
    }

  private:
    std::mt19937 engine_{7};
};

constexpr std::size_t inputs = 33, hidden = 24;
constexpr float scale = 0.004f;

struct Network {
    Values weight_ih, weight_hh, bias_ih, bias_hh;
    std::vector<std::byte> file;

    Network() {
        Random random;
        weight_ih = random.whole(3 * hidden * inputs);
        weight_hh = random.whole(3 * hidden * hidden);
        bias_ih = random.normal(3 * hidden);
        bias_hh = random.normal(3 * hidden);
        Writer writer;
        writer.matrix("gru.weight_ih", 3 * hidden, inputs, weight_ih, scale);
        writer.matrix("gru.weight_hh", 3 * hidden, hidden, weight_hh, scale);
        writer.floats("gru.bias_ih", bias_ih);
        writer.floats("gru.bias_hh", bias_hh);
        writer.matrix("dense.weight", 3 * hidden, inputs, weight_ih, scale);
        writer.floats("dense.bias", bias_ih);
        file = writer.file();
    }
};

// Of inputs as layers have them: whole numbers up to 127 times what the largest asks for.
double product(const Values& weights, std::size_t row, std::span<const float> x) {
    float largest = 1e-20f;
    for (const float value : x) largest = std::max(largest, std::abs(value));
    const float unit = largest / 127.0f;
    double sum = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i)
        sum += static_cast<double>(scale * weights[row * x.size() + i] * (unit * std::round(x[i] / unit)));
    return sum;
}

double logistic(double x) { return 1.0 / (1.0 + std::exp(-x)); }

std::string reason(const std::vector<std::byte>& file) {
    try {
        const spike::Weights weights(file, "some.spkw");
        weights.matrix("dense.weight");
        return "";
    } catch (const spike::WeightsError& error) {
        return error.what();
    }
}

}  // namespace

TEST_CASE("a dense layer is its formula") {
    const Network network;
    const spike::Weights weights(network.file, "test");
    spike::Dense dense(weights, "dense", spike::Activation::tanh, 1);
    spike::Activations in(1, inputs), out(1, 3 * hidden);
    Random random;
    std::ranges::copy(random.normal(inputs), in.of(0).begin());
    dense.process(in, out);
    for (std::size_t row = 0; row < 3 * hidden; ++row) {
        const double expected =
            std::tanh(product(network.weight_ih, row, in.of(0)) + static_cast<double>(network.bias_ih[row]));
        CHECK(std::abs(static_cast<double>(out.of(0)[row]) - expected) < 1e-3);
    }
}

TEST_CASE("a gated recurrent unit is its formula, whatever streams run beside it") {
    const Network network;
    const spike::Weights weights(network.file, "test");
    constexpr std::size_t streams = 7;
    spike::Gru gru(weights, "gru", streams), alone(weights, "gru", 1);
    std::vector<double> state(hidden);
    Random random;
    for (int frame = 0; frame < 50; ++frame) {
        spike::Activations in(streams, inputs), one(1, inputs);
        std::ranges::copy(random.normal(streams * inputs), in.all().begin());
        std::ranges::copy(in.of(5), one.of(0).begin());
        const auto& made = gru.process(in);
        CHECK(std::ranges::equal(alone.process(one).of(0), made.of(5)));
        const Values before(state.begin(), state.end());
        for (std::size_t i = 0; i < hidden; ++i) {
            const auto part = [&](std::size_t gate) {
                const std::size_t row = gate * hidden + i;
                return std::pair(product(network.weight_ih, row, in.of(5)) + static_cast<double>(network.bias_ih[row]),
                                 product(network.weight_hh, row, before) + static_cast<double>(network.bias_hh[row]));
            };
            const auto [reset_in, reset_kept] = part(0);
            const auto [update_in, update_kept] = part(1);
            const auto [new_in, new_kept] = part(2);
            const double fresh = std::tanh(new_in + logistic(reset_in + reset_kept) * new_kept);
            const double update = logistic(update_in + update_kept);
            state[i] = (1.0 - update) * fresh + update * static_cast<double>(before[i]);
            CHECK(std::abs(static_cast<double>(made.of(5)[i]) - state[i]) < 5e-3);
        }
    }
}

TEST_CASE("every instruction set gives the same whole numbers, and activations within rounding") {
    const Network network;
    const spike::Weights weights(network.file, "test");
    const auto matrix = weights.matrix("gru.weight_ih");
    Random random;
    const Values x = random.normal(4 * inputs);
    const auto& baseline = spike::neural_kernels(spike::Isa::baseline);
    for (const auto isa : {spike::Isa::avx2, spike::Isa::avx512, spike::Isa::neon}) {
        if (!spike::supports(isa)) continue;
        CAPTURE(spike::isa_name(isa));
        const auto& kernels = spike::neural_kernels(isa);
        const std::size_t columns = matrix.packed.padded_columns();
        std::vector<std::int8_t> expected_inputs(4 * columns), actual_inputs(4 * columns);
        std::array<const std::int8_t*, 4> in{};
        for (std::size_t v = 0; v < 4; ++v) {
            const float* from = x.data() + v * inputs;
            in[v] = actual_inputs.data() + v * columns;
            const float unit = baseline.quantize(from, inputs, expected_inputs.data() + v * columns);
            CHECK(kernels.quantize(from, inputs, actual_inputs.data() + v * columns) == unit);
        }
        CHECK(expected_inputs == actual_inputs);
        for (std::size_t vectors = 1; vectors <= 4; ++vectors) {
            const std::size_t width = matrix.packed.blocks * spike::block_rows;
            std::vector<std::int32_t> expected(4 * width), actual(4 * width);
            std::array<std::int32_t*, 4> to_expected{}, to_actual{};
            for (std::size_t v = 0; v < 4; ++v) {
                to_expected[v] = expected.data() + v * width;
                to_actual[v] = actual.data() + v * width;
            }
            baseline.multiply(matrix.packed, in.data(), to_expected.data(), vectors);
            kernels.multiply(matrix.packed, in.data(), to_actual.data(), vectors);
            CHECK(expected == actual);
        }
        for (const auto kernel : {&spike::NeuralKernels::sigmoid, &spike::NeuralKernels::tanh}) {
            Values expected = x, actual = x;
            (baseline.*kernel)(expected.data(), expected.size());
            (kernels.*kernel)(actual.data(), actual.size());
            for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::abs(expected[i] - actual[i]) < 1e-6f);
        }
        Values levels(x.size()), levels_expected(x.size());
        for (std::size_t i = 0; i < levels.size(); ++i) levels[i] = levels_expected[i] = x[i] * x[i];
        baseline.decibels(levels_expected.data(), levels.size());
        kernels.decibels(levels.data(), levels.size());
        for (std::size_t i = 0; i < levels.size(); ++i) CHECK(std::abs(levels_expected[i] - levels[i]) < 2e-5f);
        Values expected(hidden, 0.5f), actual(hidden, 0.5f);
        baseline.update(network.bias_ih.data(), network.bias_hh.data(), expected.data(), hidden);
        kernels.update(network.bias_ih.data(), network.bias_hh.data(), actual.data(), hidden);
        for (std::size_t i = 0; i < hidden; ++i) CHECK(std::abs(expected[i] - actual[i]) < 1e-6f);
    }
}

TEST_CASE("activations and decibels are the functions") {
    const auto& kernels = spike::neural_kernels(spike::active_isa());
    for (float power = 1e-14f; power < 1e6f; power *= 1.013f) {
        float level_db = power;
        kernels.decibels(&level_db, 1);
        CHECK(std::abs(static_cast<double>(level_db) - 10.0 * std::log10(static_cast<double>(power) + 1e-10)) < 2e-5);
    }
    for (float x = -30.0f; x < 30.0f; x += 0.037f) {
        float sigmoid = x, tanh = x;
        kernels.sigmoid(&sigmoid, 1);
        kernels.tanh(&tanh, 1);
        CHECK(std::abs(static_cast<double>(sigmoid) - logistic(static_cast<double>(x))) < 1e-6);
        CHECK(std::abs(tanh - std::tanh(x)) < 1e-6f);
    }
}

TEST_CASE("files that are not whole are refused by name, with both checksums") {
    const Network network;
    CHECK(reason(network.file).empty());

    auto file = network.file;
    file[Writer::begin + 5] ^= std::byte{1};
    CHECK(reason(file).find("some.spkw is damaged: its CRC-32 is ") == 0);
    file = network.file;
    file.resize(file.size() - 64);
    CHECK(reason(file).find("damaged") != std::string::npos);
    file = network.file;
    file[8] = std::byte{9};
    CHECK(reason(file).find("version 9") != std::string::npos);
    file = network.file;
    file[0] = std::byte{'X'};
    CHECK(reason(file).find("no file of weights") != std::string::npos);
    CHECK(reason({}).find("no file of weights") != std::string::npos);

    Writer other;
    other.floats("bias", {1.0f});
    CHECK(reason(other.file()).find("no 'dense.weight'") != std::string::npos);
}
