// Compiled once per instruction set. Outputs are made as many at a time as a register holds, each by the same order of
// operations wherever it stands, so that what comes out does not depend on how a stream is cut.
#include "dsp/resampler/convolution_kernels.hpp"

#include <algorithm>
#include <numeric>

#include "base/simd.hpp"

namespace spike::SPIKE_ISA {
namespace {

// The inputs of a block of outputs, and for each its row of an exact bank.
template <typename Real>
struct Rows {
    using L = Simd<Real>;
    const Real* inputs[L::count];
    const Real* row[L::count];

    void seek(std::size_t output, const FilterBank<Real>& bank, const Real* all, const Place& at) noexcept {
        inputs[output] = all + at.first;
        row[output] = bank.rows + at.phase * bank.taps;
    }

    L::Vector product(std::size_t output, std::size_t of, std::size_t chunk, std::size_t lane) const noexcept {
        const std::size_t tap = chunk * chunk_taps + lane;
        return L::load(inputs[output] + tap) * L::load(row[of] + tap);
    }
};

// The inputs of a block of outputs, for each the rows of its cell, and its place within the cell, 0 to 1.
template <typename Real>
struct Cells {
    using L = Simd<Real>;
    static constexpr std::size_t terms = terms_of<Real>;
    const Real* inputs[L::count];
    const Real* row[L::count];
    Real place[L::count];

    void seek(std::size_t output, const FilterBank<Real>& bank, const Real* all, const Place& at) noexcept {
        const double cells = static_cast<double>(static_cast<std::int64_t>(at.phase)) * bank.cells_per_unit;
        const auto cell = static_cast<std::int64_t>(cells);
        inputs[output] = all + at.first;
        row[output] = bank.rows + terms * static_cast<std::size_t>(cell) * bank.taps;
        place[output] = static_cast<Real>(cells - static_cast<double>(cell));
    }

    L::Vector product(std::size_t output, std::size_t of, std::size_t chunk, std::size_t lane) const noexcept {
        const Real* at = row[of] + terms * chunk * chunk_taps + lane;
        const auto there = L::repeat(place[output]);
        auto coefficients = L::load(at + (terms - 1) * chunk_taps);  // by Horner's rule
        for (std::size_t term = terms - 1; term-- > 0;)
            coefficients = L::load(at + term * chunk_taps) + there * coefficients;
        return L::load(inputs[output] + chunk * chunk_taps + lane) * coefficients;
    }
};

// Adds up partial sums, one vector for each of `outputs`, into one vector.
template <typename Real, std::size_t outputs>
Simd<Real>::Vector folded(const typename Simd<Real>::Vector* partial) noexcept {
    if constexpr (outputs == 1)
        return *partial;
    else
        return Simd<Real>::template fold<outputs / 2>(folded<Real, outputs / 2>(partial),
                                                      folded<Real, outputs / 2>(partial + outputs / 2));
}

// Four outputs are made side by side: their pointers fit into the processor's registers, and their sums hide the time
// that an addition takes.
template <typename Real>
constexpr std::size_t group_of = std::min<std::size_t>(4, Simd<Real>::count);

template <typename Real, std::size_t begin, typename Block, std::size_t... i>
Simd<Real>::Vector group(const Block& block, std::size_t chunks, std::index_sequence<i...>) noexcept {
    using L = Simd<Real>;
    typename L::Vector partial[sizeof...(i)] = {};
    if (((block.row[begin + i] == block.row[begin]) && ...)) {  // at a ratio close to 1: load it once
        for (std::size_t chunk = 0; chunk < chunks; ++chunk)
            for (std::size_t lane = 0; lane < chunk_taps; lane += L::count)
                ((partial[i] += block.product(begin + i, begin, chunk, lane)), ...);
    } else {
        for (std::size_t chunk = 0; chunk < chunks; ++chunk)
            for (std::size_t lane = 0; lane < chunk_taps; lane += L::count)
                ((partial[i] += block.product(begin + i, begin + i, chunk, lane)), ...);
    }
    return folded<Real, sizeof...(i)>(partial);
}

// `outputs` of a block from `begin`, as many as a vector has lanes at the first call.
template <typename Real, std::size_t begin, std::size_t outputs, typename Block>
Simd<Real>::Vector sums(const Block& block, std::size_t chunks) noexcept {
    if constexpr (outputs > group_of<Real>) {
        const auto earlier = sums<Real, begin, outputs / 2>(block, chunks);
        const auto later = sums<Real, begin + outputs / 2, outputs / 2>(block, chunks);
        return Simd<Real>::template fold<outputs / 2>(earlier, later);
    } else {
        return group<Real, begin>(block, chunks, std::make_index_sequence<outputs>());
    }
}

template <typename Real, typename Block>
Walk convolve(const FilterBank<Real>& bank, const Real* inputs, Walk walk, Real* out, std::size_t count) noexcept {
    using L = Simd<Real>;
    const std::size_t chunks = bank.taps / chunk_taps;
    while (count > 0) {
        Block block;
        const std::size_t made = std::min(count, L::count);
        const Place first = walk.place;
        for (std::size_t i = 0; i < made; ++i, walk.move()) block.seek(i, bank, inputs, walk.place);
        for (std::size_t i = made; i < L::count; ++i) block.seek(i, bank, inputs, first);  // made, but not used
        const auto outputs = sums<Real, 0, L::count>(block, chunks);
        if (made == L::count)
            L::store(outputs, out);
        else
            for (std::size_t i = 0; i < made; ++i) out[i] = outputs[i];
        out += made;
        count -= made;
    }
    return walk;
}

// What a whole number of inputs per output allows: outputs that begin equally far behind a multiple of a chunk share a
// row, which is shifted so far, and all loads are aligned.
template <typename Real>
struct Decimation {
    using L = Simd<Real>;
    static constexpr std::size_t together = 5;  // divides the outputs of 10 ms well, and hides the time of an addition
    static constexpr std::size_t most = together * chunk_taps;

    const FilterBank<Real>& bank;
    std::size_t down, distance;
    std::size_t offset = 0;  // of the first output's inputs
    L::Vector sums[most];

    // All outputs of a block, at most `most`.
    void make_all(const Real* inputs, std::size_t count) noexcept {
        const auto end = std::min(count, distance);
        for (std::size_t first = 0; first < end;) {
            const bool pair = first + 1 < end && chunk_of(first) == chunk_of(first + 1);
            pair ? make<2>(inputs, first, count) : make<1>(inputs, first, count);
            first += pair ? 2 : 1;
        }
    }

    // The chunk that output `index` begins in, and how far behind its beginning.
    std::size_t chunk_of(std::size_t index) const noexcept { return (offset + index * down) / chunk_taps; }
    std::size_t shift_of(std::size_t index) const noexcept { return (offset + index * down) % chunk_taps; }

    // Outputs `first`, `first` + `distance` and so on, where there are so many; else the first again. And, in `rows`
    // of these, the same for the outputs behind `first`, which begin in the same chunk: an input is loaded once.
    template <std::size_t rows>
    void make(const Real* inputs, std::size_t first, std::size_t count) noexcept {
        const Real *from[together], *row[rows];
        for (std::size_t i = 0; i < together; ++i)
            from[i] = inputs + chunk_of(first + (first + i * distance < count ? i * distance : 0)) * chunk_taps;
        for (std::size_t r = 0; r < rows; ++r) row[r] = bank.rows + shift_of(first + r) * bank.taps;
        typename L::Vector partial[rows][together] = {};
        for (std::size_t tap = 0; tap < bank.taps; tap += L::count) {
            typename L::Vector coefficients[rows];
            for (std::size_t r = 0; r < rows; ++r) coefficients[r] = L::load(row[r] + tap);
            for (std::size_t i = 0; i < together; ++i) {
                const auto input = L::held(L::load(from[i] + tap));
                for (std::size_t r = 0; r < rows; ++r) partial[r][i] += input * coefficients[r];
            }
        }
        for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t i = 0; i < together; ++i) sums[first + r + i * distance] = partial[r][i];
    }
    void finish(Real* out, std::size_t count) const noexcept {
        for (std::size_t k = 0; k < count; k += L::count) {
            const auto outputs = folded<Real, L::count>(sums + k);
            for (std::size_t i = 0; i < std::min(count - k, L::count); ++i) out[k + i] = outputs[i];
        }
    }
};

template <typename Real>
Walk decimate(const FilterBank<Real>& bank, const Real* inputs, Walk walk, Real* out, std::size_t count) noexcept {
    const auto down = static_cast<std::size_t>(walk.whole_step());
    const std::size_t distance = chunk_taps / std::gcd(down, chunk_taps), most = Decimation<Real>::together * distance;
    Decimation<Real> decimation{.bank = bank, .down = down, .distance = distance};
    while (count > 0) {
        const std::size_t now = std::min(count, most);
        decimation.offset = static_cast<std::size_t>(walk.place.first);
        decimation.make_all(inputs, now);
        decimation.finish(out, now);
        walk.place.first += static_cast<std::ptrdiff_t>(now * down);
        out += now;
        count -= now;
    }
    return walk;
}

// What a whole number of outputs per input allows: a lane for each of many inputs, and each load of the inputs serves
// several phases.
template <typename Real>
struct Interpolation {
    using L = Simd<Real>;
    static constexpr std::size_t vectors = 4, span = vectors * L::count, most_phases = 3;

    const FilterBank<Real>& bank;
    std::size_t up;

    // `phases` outputs of each of `count` inputs, at most `span`.
    template <std::size_t phases>
    void make(const Real* inputs, std::size_t first_phase, Real* out, std::size_t count) const noexcept {
        typename L::Vector sums[phases][vectors] = {};
        const Real* rows = bank.rows + first_phase * bank.taps;
        for (std::size_t tap = 0; tap < bank.taps; ++tap)
            for (std::size_t vector = 0; vector < vectors; ++vector) {
                const auto input = L::load(inputs + tap + vector * L::count);
                for (std::size_t phase = 0; phase < phases; ++phase)
                    sums[phase][vector] += L::repeat(rows[phase * bank.taps + tap]) * input;
            }
        Real made[phases][span];
        for (std::size_t phase = 0; phase < phases; ++phase)
            for (std::size_t vector = 0; vector < vectors; ++vector)
                L::store(sums[phase][vector], made[phase] + vector * L::count);
        for (std::size_t i = 0; i < count; ++i)
            for (std::size_t phase = 0; phase < phases; ++phase) out[i * up + first_phase + phase] = made[phase][i];
    }

    void make_all(const Real* inputs, Real* out, std::size_t count) const noexcept {
        for (std::size_t phase = 0; phase < up; phase += most_phases) switch (up - phase) {
                case 1: make<1>(inputs, phase, out, count); break;
                case 2: make<2>(inputs, phase, out, count); break;
                default: make<3>(inputs, phase, out, count); break;
            }
    }
};

template <typename Real>
Walk interpolate(const FilterBank<Real>& bank, const Real* inputs, Walk walk, Real* out, std::size_t count) noexcept {
    const auto up = static_cast<std::size_t>(walk.units());
    const Interpolation<Real> interpolation{bank, up};
    for (std::size_t left = count / up; left > 0;) {
        const std::size_t now = std::min(left, Interpolation<Real>::span);
        interpolation.make_all(inputs + walk.place.first, out, now);
        walk.place.first += static_cast<std::ptrdiff_t>(now);
        out += now * up;
        left -= now;
    }
    return walk;
}

// The conversions of convert/samples.hpp, in registers of this instruction set.
template <typename Real>
void keep_float(const float* in, std::size_t count, Real* kept) noexcept {
    for (std::size_t n = 0; n < count; ++n) kept[n] = in[n] - in[n] == 0.0f ? in[n] : 0.0f;  // false for no number
}

template <typename Real>
void keep_int16(const std::int16_t* in, std::size_t count, Real* kept) noexcept {
    for (std::size_t n = 0; n < count; ++n) kept[n] = static_cast<float>(in[n]) * (1.0f / 32768.0f);
}

template <typename Real>
constexpr Convolution<Real> convolution_of{.exact = &convolve<Real, Rows<Real>>,
                                           .decimating = &decimate<Real>,
                                           .interpolating = &interpolate<Real>,
                                           .polynomial = &convolve<Real, Cells<Real>>,
                                           .keep_float = &keep_float<Real>,
                                           .keep_int16 = &keep_int16<Real>};

}  // namespace

const ConvolutionKernels convolution_kernels_variant{.single_precision = convolution_of<float>,
                                                     .double_precision = convolution_of<double>};

}  // namespace spike::SPIKE_ISA
