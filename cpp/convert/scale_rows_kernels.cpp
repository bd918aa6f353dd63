// Compiled once per instruction set.
#include "convert/scale_rows_kernels.hpp"

#include <algorithm>
#include <type_traits>

#include "convert/lanes/lanes.hpp"
#include "convert/lanes/pick.hpp"

namespace spike::SPIKE_ISA {
namespace {

// Sums of cut products lack half a unit each; more than this would not fit into a word.
std::int32_t missing(std::size_t taps) noexcept {
    return static_cast<std::int32_t>(std::min<std::size_t>(taps / 2, 32));
}

struct Averaging {
    static constexpr int bits = 8;
    static Words widen(Words high) noexcept { return high; }
    static Words multiply(Words a, Words weight) noexcept { return multiply_high(a, weight); }
    static std::int32_t product(std::uint16_t a, std::uint16_t weight) noexcept {
        return static_cast<std::int32_t>((std::uint32_t{a} * weight) >> 16);
    }
    static std::uint16_t widened(std::uint8_t byte) noexcept { return static_cast<std::uint16_t>(byte << 8); }
    static std::int32_t start(std::size_t taps) noexcept { return missing(taps); }
    static void store(std::uint8_t* to, Words sum) noexcept { store_high(to, sum); }
    static std::int32_t finish(std::uint16_t sum) noexcept { return sum >> bits; }
};

struct Signed {
    static constexpr int bits = 5;
    static Words widen(Words high) noexcept { return shift_right<1>(high); }
    static Words multiply(Words a, Words weight) noexcept { return multiply_round(a, weight); }
    static std::int32_t product(std::uint16_t a, std::uint16_t weight) noexcept {
        return (static_cast<std::int16_t>(a) * static_cast<std::int16_t>(weight) + (1 << 14)) >> 15;
    }
    static std::uint16_t widened(std::uint8_t byte) noexcept { return static_cast<std::uint16_t>(byte << 7); }
    static std::int32_t start(std::size_t) noexcept { return 0; }
    static void store(std::uint8_t* to, Words sum) noexcept { store_saturated<bits>(to, sum); }
    static std::int32_t finish(std::uint16_t sum) noexcept {
        return std::clamp(static_cast<std::int16_t>(sum) >> bits, 0, 255);
    }
};

// Calls visit with the number of taps, known to the compiler where it is a usual one.
template <typename Visit>
void with_taps(std::size_t taps, Visit visit) noexcept {
    switch (taps) {
        case 1: visit(std::integral_constant<std::size_t, 1>{}); return;
        case 2: visit(std::integral_constant<std::size_t, 2>{}); return;
        case 3: visit(std::integral_constant<std::size_t, 3>{}); return;
        case 4: visit(std::integral_constant<std::size_t, 4>{}); return;
        default: visit(taps);
    }
}

template <typename Sum, typename Taps>
std::size_t down_registers(const std::uint8_t* const* rows, const std::uint16_t* weights, Taps taps, std::uint16_t* out,
                           std::size_t count) noexcept {
    std::size_t x = 0;
    if constexpr (!std::is_same_v<Taps, std::size_t>) {
        Words factors[Taps::value];
        const std::uint8_t* from[Taps::value];
        for (std::size_t tap = 0; tap < taps; ++tap) factors[tap] = repeat(weights[tap]), from[tap] = rows[tap];
        for (; x + word_lanes <= count; x += word_lanes) {
            Words sum = repeat(Sum::start(taps));
            for (std::size_t tap = 0; tap < taps; ++tap)
                sum = add(sum, Sum::multiply(Sum::widen(load_high(from[tap] + x)), factors[tap]));
            store_words(out + x, sum);
        }
    }
    return x;
}

template <typename Sum>
void down(const std::uint8_t* const* rows, const std::uint16_t* weights, std::size_t taps, std::uint16_t* out,
          std::size_t count) noexcept {
    std::size_t x = 0;
    with_taps(taps, [&](auto known) { x = down_registers<Sum>(rows, weights, known, out, count); });
    for (; x + word_lanes <= count; x += word_lanes) {
        Words sum = repeat(Sum::start(taps));
        for (std::size_t tap = 0; tap < taps; ++tap)
            sum = add(sum, Sum::multiply(Sum::widen(load_high(rows[tap] + x)), repeat(weights[tap])));
        store_words(out + x, sum);
    }
    for (; x < count; ++x) {
        std::int32_t sum = Sum::start(taps);
        for (std::size_t tap = 0; tap < taps; ++tap) sum += Sum::product(Sum::widened(rows[tap][x]), weights[tap]);
        out[x] = static_cast<std::uint16_t>(sum);
    }
}

template <typename Sum>
void across(const std::uint16_t* row, const RowPlan& plan, std::uint8_t* out) noexcept {
    const std::int32_t start = Sum::start(plan.taps) + (1 << (Sum::bits - 1));
    std::size_t x = 0;
    if (!plan.blocks.empty())
        with_taps(plan.taps, [&](auto taps) {
            const std::uint16_t* block = plan.blocks.data();
            const std::uint32_t* base = plan.bases.data();
            for (; x + word_lanes <= plan.count; x += word_lanes, base += pick_groups) {
                const Reach reach = reach_from(row, base);
                Words sum = repeat(start);
                for (std::size_t tap = 0; tap < taps; ++tap, block += 2 * word_lanes)
                    sum = add(sum, Sum::multiply(pick(reach, block), load_words(block + word_lanes)));
                Sum::store(out + x, sum);
            }
        });
    for (; x < plan.count; ++x) {
        std::int32_t sum = start;
        for (std::size_t tap = 0; tap < plan.taps; ++tap)
            sum += Sum::product(row[plan.first[x] + tap * plan.step], plan.weights[x * plan.taps + tap]);
        out[x] = static_cast<std::uint8_t>(Sum::finish(static_cast<std::uint16_t>(sum)));
    }
}

void make_plan(RowPlan& plan) {
    constexpr std::size_t group = word_lanes / pick_groups;
    const std::size_t blocks = plan.count / word_lanes;
    for (std::size_t begin = 0; begin < blocks * word_lanes; begin += group) {
        const auto [low, high] = std::minmax_element(&plan.first[begin], &plan.first[begin] + group);
        if (*high - *low + (plan.taps - 1) * plan.step >= pick_span) {
            plan.bases.clear();
            return;
        }
        plan.bases.push_back(*low);
    }
    plan.blocks.resize(2 * blocks * word_lanes * plan.taps);
    std::uint16_t* to = plan.blocks.data();
    for (std::size_t begin = 0; begin < blocks * word_lanes; begin += word_lanes) {
        for (std::size_t tap = 0; tap < plan.taps; ++tap, to += 2 * word_lanes) {
            for (std::size_t n = 0; n < word_lanes; ++n) {
                const std::size_t sample = begin + n;
                to[n] = pick_place(plan.first[sample] + tap * plan.step - plan.bases[sample / group]);
                to[word_lanes + n] = plan.weights[sample * plan.taps + tap];
            }
        }
    }
}

}  // namespace

constinit const ScaleRowsKernels scale_rows_kernels_variant{&make_plan, &down<Averaging>, &across<Averaging>,
                                                            &down<Signed>, &across<Signed>};

}  // namespace spike::SPIKE_ISA
