#include "dsp/resampler/polyphase_filter.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <type_traits>

#include "convert/samples.hpp"

namespace spike {
namespace {

// Cells between two inputs: the polynomials are off by 1e-7 with these many in float, by 1e-8 in double.
template <typename Real>
constexpr std::size_t cells_of = std::is_same_v<Real, float> ? 128 : 48;

template <typename Real>
const Convolution<Real>& convolution_for(Isa isa) {
    if constexpr (std::is_same_v<Real, float>)
        return convolution_kernels(isa).single_precision;
    else
        return convolution_kernels(isa).double_precision;
}

std::size_t padded(std::size_t taps) { return (taps + chunk_taps - 1) / chunk_taps * chunk_taps; }

// A polynomial of 0 to 1 through the values at its Chebyshev nodes.
template <std::size_t terms>
struct Polynomial {
    using Values = std::array<double, terms>;

    static double node(std::size_t index) {
        return 0.5 - 0.5 * std::cos(std::numbers::pi * (static_cast<double>(index) + 0.5) / static_cast<double>(terms));
    }

    // By rising powers, from Newton's divided differences.
    static Values through(Values differences) {
        for (std::size_t order = 1; order < terms; ++order)
            for (std::size_t i = terms - 1; i >= order; --i)
                differences[i] = (differences[i] - differences[i - 1]) / (node(i) - node(i - order));
        Values powers{};
        for (std::size_t i = terms; i-- > 0;) {  // powers * (x - node(i)) + difference
            for (std::size_t power = terms; power-- > 1;) powers[power] = powers[power - 1] - node(i) * powers[power];
            powers[0] = differences[i] - node(i) * powers[0];
        }
        return powers;
    }
};

}  // namespace

template <typename Real>
PolyphaseFilter<Real>::PolyphaseFilter(const InterpolationFilter& filter, const Config& config)
    : filter_(filter),
      config_(config),
      convolution_(&convolution_for<Real>(config.isa)),
      taps_(padded(2 * filter.half_taps())),
      capacity_(padded(config.lead + 2 * config.longest_input + taps_ + 2 * chunk_taps + overread)),
      history_(config.channels * capacity_),
      made_(config.longest_output) {
    reset();
}

template <typename Real>
void PolyphaseFilter<Real>::use(Convolution<Real>::Kernel kernel, AlignedVector<Real> rows, std::size_t taps,
                                double cells_per_unit) {
    kernel_ = kernel;
    rows_ = std::move(rows);
    bank_ = {.rows = rows_.data(), .taps = taps, .cells_per_unit = cells_per_unit};
}

template <typename Real>
void PolyphaseFilter<Real>::use_shifts(const std::vector<double>& row) {
    const std::size_t longer = taps_ + chunk_taps;
    AlignedVector<Real> rows(chunk_taps * longer);
    for (std::size_t shift = 0; shift < chunk_taps; ++shift)
        std::transform(row.begin(), row.end(), rows.begin() + static_cast<std::ptrdiff_t>(shift * longer + shift),
                       [](double value) { return static_cast<Real>(value); });
    use(convolution_->decimating, std::move(rows), longer);
}

template <typename Real>
void PolyphaseFilter<Real>::make_delay() {
    std::vector<double> row(2 * filter_.half_taps());
    row[filter_.half_taps() - 1] = 1.0;
    use_shifts(row);
}

template <typename Real>
void PolyphaseFilter<Real>::make_rows(std::size_t phases, std::size_t inputs_per_turn) {
    if (phases == 1) return use_shifts(filter_.row(0.0));
    AlignedVector<Real> rows(phases * taps_);
    for (std::size_t phase = 0; phase < phases; ++phase) {
        const auto row = filter_.row(static_cast<double>(phase) / static_cast<double>(phases));
        std::transform(row.begin(), row.end(), rows.begin() + static_cast<std::ptrdiff_t>(phase * taps_),
                       [](double value) { return static_cast<Real>(value); });
    }
    use(inputs_per_turn == 1 ? convolution_->interpolating : convolution_->exact, std::move(rows), taps_);
}

template <typename Real>
void PolyphaseFilter<Real>::make_cells(std::uint64_t units) {
    constexpr std::size_t cells = cells_of<Real>, terms = terms_of<Real>;
    AlignedVector<Real> rows(terms * cells * taps_);
    for (std::size_t cell = 0; cell < cells; ++cell) {
        std::array<std::vector<double>, terms> at_nodes;
        for (std::size_t node = 0; node < terms; ++node)
            at_nodes[node] =
                filter_.row((static_cast<double>(cell) + Polynomial<terms>::node(node)) / static_cast<double>(cells));
        for (std::size_t tap = 0; tap < at_nodes[0].size(); ++tap) {
            std::array<double, terms> values;
            for (std::size_t node = 0; node < terms; ++node) values[node] = at_nodes[node][tap];
            const auto powers = Polynomial<terms>::through(values);
            Real* to = rows.data() + terms * (cell * taps_ + tap / chunk_taps * chunk_taps) + tap % chunk_taps;
            for (std::size_t power = 0; power < terms; ++power)
                to[power * chunk_taps] = static_cast<Real>(powers[power]);
        }
    }
    use(convolution_->polynomial, std::move(rows), taps_, static_cast<double>(cells) / static_cast<double>(units));
}

template <typename Real>
void PolyphaseFilter<Real>::reset() noexcept {
    std::fill(history_.begin(), history_.end(), Real{0});
    filled_ = config_.lead;
}

template <typename Real>
template <typename Sample>
std::size_t PolyphaseFilter<Real>::store(Strided<const Sample> in, std::size_t count, std::ptrdiff_t first) noexcept {
    // By whole chunks, so that an input's lane, and with it the order of the sums, is the same however a stream is cut.
    const std::size_t used = std::min(static_cast<std::size_t>(first), filled_) / chunk_taps * chunk_taps;
    for (std::size_t channel = 0; channel < config_.channels; ++channel) {
        Real* kept = std::copy(history(channel) + used, history(channel) + filled_, history(channel));
        const Sample* from = in.channel(channel);
        if (in.to_next == 1)
            convolution_->keep(from, count, kept);
        else
            for (std::size_t n = 0; n < count; ++n)
                kept[n] = to_float(from[static_cast<std::ptrdiff_t>(n) * in.to_next]);
    }
    filled_ += count - used;
    return used;
}

template <typename Real>
template <typename Sample>
Walk PolyphaseFilter<Real>::produce(const Walk& walk, Strided<Sample> out, std::size_t count) noexcept {
    Walk behind = walk;
    for (std::size_t channel = 0; channel < config_.channels; ++channel) {
        Sample* to = out.channel(channel);
        if constexpr (std::is_same_v<Sample, Real>) {
            if (out.to_next == 1) {
                behind = kernel_(bank_, history(channel), walk, to, count);
                continue;
            }
        }
        behind = kernel_(bank_, history(channel), walk, made_.data(), count);
        for (std::size_t k = 0; k < count; ++k)
            to[static_cast<std::ptrdiff_t>(k) * out.to_next] = from_float<Sample>(static_cast<float>(made_[k]));
    }
    return behind;
}

template class PolyphaseFilter<float>;
template class PolyphaseFilter<double>;

template std::size_t PolyphaseFilter<float>::store(Strided<const float>, std::size_t, std::ptrdiff_t) noexcept;
template std::size_t PolyphaseFilter<float>::store(Strided<const std::int16_t>, std::size_t, std::ptrdiff_t) noexcept;
template std::size_t PolyphaseFilter<double>::store(Strided<const float>, std::size_t, std::ptrdiff_t) noexcept;
template std::size_t PolyphaseFilter<double>::store(Strided<const std::int16_t>, std::size_t, std::ptrdiff_t) noexcept;
template Walk PolyphaseFilter<float>::produce(const Walk&, Strided<float>, std::size_t) noexcept;
template Walk PolyphaseFilter<float>::produce(const Walk&, Strided<std::int16_t>, std::size_t) noexcept;
template Walk PolyphaseFilter<double>::produce(const Walk&, Strided<float>, std::size_t) noexcept;
template Walk PolyphaseFilter<double>::produce(const Walk&, Strided<std::int16_t>, std::size_t) noexcept;

}  // namespace spike
