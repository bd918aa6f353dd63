// Compiled once per instruction set; integers only, so every set gives the same bytes.
#include "convert/pixel_rows_kernels.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "convert/lanes/lanes.hpp"

namespace spike::SPIKE_ISA {
namespace {

constexpr std::size_t step = byte_lanes;

// Calls body(x) for every `step` columns. What is left over is done by a last step that begins earlier, on an even
// column; the last column of an odd width, and widths below one step, by tail(x, columns).
template <typename Body, typename Tail>
void for_columns(std::size_t width, Body body, Tail tail) noexcept {
    const std::size_t even = width & ~std::size_t{1}, done = even >= step ? even : 0;
    for (std::size_t x = 0; x < done; x += step) body(std::min(x, done - step));
    if (done < width) tail(done, width - done);
}

// --- luma and chroma to red, green and blue
// ----------------------------------------------------------------------------

// A row of luma and the one of chroma that belongs to it.
struct YuvRow {
    const std::uint8_t* luma;
    const std::uint8_t* u;
    const std::uint8_t* v;
};

template <ChromaLayout layout>
YuvRow row_of(const YuvRows& rows, std::size_t y) noexcept {
    const auto at = static_cast<std::ptrdiff_t>(y), half = at / 2;
    YuvRow row{rows.luma + at * rows.luma_stride, nullptr, nullptr};
    if constexpr (layout != no_chroma) row.u = rows.u + half * rows.u_stride;
    if constexpr (layout == planar_chroma) row.v = rows.v + half * rows.v_stride;
    return row;
}

struct Chroma {
    Words u, v;  // signed, in the upper halves; each for two columns
};

template <ChromaLayout layout>
Chroma load_chroma(const YuvRow& in, std::size_t x) noexcept {
    if constexpr (layout == planar_chroma) {
        return {load_high_signed(in.u + x / 2), load_high_signed(in.v + x / 2)};
    } else {
        const Bytes pairs = load(in.u + x);
        return {flip_sign(even_high(pairs)), flip_sign(odd_high(pairs))};
    }
}

template <PackedOrder order, bool split>
void store_packed(std::uint8_t* to, const Bytes3& rgb) noexcept {
    const auto& [red, green, blue] = rgb;
    if constexpr (order == rgb24_order) store3<split>(to, rgb);
    if constexpr (order == bgr24_order) store3<split>(to, {blue, green, red});
    if constexpr (order == rgba_order) store_opaque<false, split>(to, rgb);
    if constexpr (order == bgra_order) store_opaque<false, split>(to, {blue, green, red});
    if constexpr (order == argb_order) store_opaque<true, split>(to, rgb);
}

template <PackedOrder order>
constexpr std::size_t packed_bytes = order == rgb24_order || order == bgr24_order ? 3 : 4;

struct ToRgbWords {
    explicit ToRgbWords(const ToRgb& m) noexcept
        : luma(repeat(m.luma)),
          offset(repeat(m.offset)),
          red_v(repeat(m.red_v)),
          green_u(repeat(m.green_u)),
          green_v(repeat(m.green_v)),
          blue_u(repeat(m.blue_u)) {}
    Words luma, offset, red_v, green_u, green_v, blue_u;
};

template <ChromaLayout layout, PackedOrder order>
void to_packed_step(const YuvRow& in, std::size_t x, std::uint8_t* out, const ToRgbWords& m) noexcept {
    const Bytes luma = load(in.luma + x);
    const Words even = add(multiply_high(even_high(luma), m.luma), m.offset);
    const Words odd = add(multiply_high(odd_high(luma), m.luma), m.offset);
    std::uint8_t* to = out + packed_bytes<order> * x;
    if constexpr (layout == no_chroma) {
        const Bytes grey = join_split<rgb_bits>(even, odd);
        store_packed<order, true>(to, {grey, grey, grey});
    } else {
        const auto [u, v] = load_chroma<layout>(in, x);
        const auto colour = [&](Words chroma) {
            return join_split<rgb_bits>(add_saturated(even, chroma), add_saturated(odd, chroma));
        };
        store_packed<order, true>(to, {colour(multiply_round(v, m.red_v)),
                                       colour(add(multiply_round(u, m.green_u), multiply_round(v, m.green_v))),
                                       colour(multiply_round(u, m.blue_u))});
    }
}

// What is left of a row is converted in memory of its own, as wide as a step.
template <ChromaLayout layout, PackedOrder order>
void to_packed_rest(const YuvRow& in, std::size_t x, std::size_t columns, std::uint8_t* out,
                    const ToRgbWords& m) noexcept {
    std::uint8_t luma[step]{}, u[step]{}, v[step]{}, packed[4 * step];
    const std::size_t pairs = (columns + 1) / 2;
    std::memcpy(luma, in.luma + x, columns);
    if constexpr (layout == planar_chroma) {
        std::memcpy(u, in.u + x / 2, pairs);
        std::memcpy(v, in.v + x / 2, pairs);
    }
    if constexpr (layout == paired_chroma) std::memcpy(u, in.u + x, 2 * pairs);
    to_packed_step<layout, order>({luma, u, v}, 0, packed, m);
    std::memcpy(out + packed_bytes<order> * x, packed, packed_bytes<order> * columns);
}

template <ChromaLayout layout, PackedOrder order>
void to_packed(const YuvRows& in, std::uint8_t* out, std::ptrdiff_t stride, const Extent& extent,
               const ToRgb& matrix) noexcept {
    const ToRgbWords m(matrix);
    const std::size_t width = extent.width;
    for (std::size_t y = 0; y < extent.height; ++y, out += stride) {
        const YuvRow row = row_of<layout>(in, y);
        for_columns(
            width, [&](std::size_t x) { to_packed_step<layout, order>(row, x, out, m); },
            [&](std::size_t x, std::size_t columns) { to_packed_rest<layout, order>(row, x, columns, out, m); });
    }
}

// --- red, green and blue to luma and chroma
// ----------------------------------------------------------------------------

template <PackedOrder order>
constexpr std::size_t packed_begin = order == argb_order ? 1 : 0;

template <PackedOrder order, typename Three>
Three red_first(Three channels) noexcept {
    if constexpr (order == bgr24_order || order == bgra_order) std::swap(channels.first, channels.third);
    return channels;
}

struct ToYuvWords {
    explicit ToYuvWords(const ToYuv& m) noexcept
        : y_red(repeat(m.y_red)),
          y_green(repeat(m.y_green)),
          y_blue(repeat(m.y_blue)),
          y_offset(repeat(m.y_offset)),
          u_green(repeat(m.u_green)),
          u_blue(repeat(m.u_blue)),
          v_green(repeat(m.v_green)),
          v_blue(repeat(m.v_blue)) {}
    Words y_red, y_green, y_blue, y_offset, u_green, u_blue, v_green, v_blue;
};

inline void store_luma(std::uint8_t* to, const Channels& rgb, const ToYuvWords& m) noexcept {
    const auto sum = [&m](Words red, Words green, Words blue) {
        return add(add(multiply_high(red, m.y_red), multiply_high(green, m.y_green)),
                   add(multiply_high(blue, m.y_blue), m.y_offset));
    };
    store_words_high(to, sum(first_words(rgb.first), first_words(rgb.second), first_words(rgb.third)),
                     sum(second_words(rgb.first), second_words(rgb.second), second_words(rgb.third)));
}

// A weighted sum as a byte around the middle, still to be cut.
inline Words around_middle(Words weighted) noexcept {
    return add_saturated(weighted, repeat((128 << chroma_bits) + (1 << (chroma_bits - 1))));
}

// Two rows (the same twice at an odd end) and what is made of them.
struct PackedPair {
    const std::uint8_t* above;
    const std::uint8_t* below;
};
struct YuvPair {
    std::uint8_t* above;
    std::uint8_t* below;
    std::uint8_t* u;
    std::uint8_t* v;
};

template <PackedOrder order>
void from_packed_step(const PackedPair& in, std::size_t x, const YuvPair& out, const ToYuvWords& m) noexcept {
    constexpr std::size_t bytes = packed_bytes<order>, begin = packed_begin<order>;
    const Channels above = red_first<order>(load_channels<bytes, begin>(in.above + bytes * x));
    store_luma(out.above + x, above, m);
    if (!out.u) return;
    const Channels below = red_first<order>(load_channels<bytes, begin>(in.below + bytes * x));
    store_luma(out.below + x, below, m);
    const Words red = sums_of_four(above.first, below.first);
    const Words green = subtract(sums_of_four(above.second, below.second), red);
    const Words blue = subtract(sums_of_four(above.third, below.third), red);
    const auto chroma = [&](Words by_green, Words by_blue) {
        return around_middle(add(multiply_round(green, by_green), multiply_round(blue, by_blue)));
    };
    store_both<chroma_bits>(out.u + x / 2, chroma(m.u_green, m.u_blue), out.v + x / 2, chroma(m.v_green, m.v_blue));
}

template <PackedOrder order>
void from_packed_rest(const PackedPair& in, std::size_t x, std::size_t columns, const YuvPair& out,
                      const ToYuvWords& m) noexcept {
    constexpr std::size_t bytes = packed_bytes<order>;
    std::uint8_t packed[2][bytes * step]{}, luma[2][step], chroma[2][step];
    const std::uint8_t* rows[2] = {in.above, in.below};
    for (std::size_t row = 0; row < 2; ++row) {
        std::memcpy(packed[row], rows[row] + bytes * x, bytes * columns);
        if (columns % 2)  // the last column has no neighbour but itself
            std::memcpy(packed[row] + bytes * columns, packed[row] + bytes * (columns - 1), bytes);
    }
    from_packed_step<order>({packed[0], packed[1]}, 0, {luma[0], luma[1], out.u ? chroma[0] : nullptr, chroma[1]}, m);
    std::memcpy(out.above + x, luma[0], columns);
    if (!out.u) return;
    std::memcpy(out.below + x, luma[1], columns);
    std::memcpy(out.u + x / 2, chroma[0], (columns + 1) / 2);
    std::memcpy(out.v + x / 2, chroma[1], (columns + 1) / 2);
}

template <PackedOrder order>
void from_packed(const std::uint8_t* in, std::ptrdiff_t stride, const YuvRowsOut& out, const Extent& extent,
                 const ToYuv& matrix) noexcept {
    const ToYuvWords m(matrix);
    const std::size_t width = extent.width, rows = out.u ? 2 : 1;
    for (std::size_t y = 0; y < extent.height; y += rows) {
        const auto above = static_cast<std::ptrdiff_t>(y), half = above / 2;
        const auto below = static_cast<std::ptrdiff_t>(y + rows - 1 < extent.height ? y + rows - 1 : y);
        const PackedPair from{in + above * stride, in + below * stride};
        const YuvPair to{out.luma + above * out.luma_stride, out.luma + below * out.luma_stride,
                         out.u ? out.u + half * out.u_stride : nullptr, out.u ? out.v + half * out.v_stride : nullptr};
        for_columns(
            width, [&](std::size_t x) { from_packed_step<order>(from, x, to, m); },
            [&](std::size_t x, std::size_t columns) { from_packed_rest<order>(from, x, columns, to, m); });
    }
}

// --- bytes that only change places
// -------------------------------------------------------------------------------------

template <PackedOrder order>
Bytes3 load_packed(const std::uint8_t* from) noexcept {
    if constexpr (packed_bytes<order> == 3)
        return red_first<order>(load3(from));
    else
        return red_first<order>(load4<packed_begin<order>>(from));
}

template <PackedOrder from, PackedOrder to>
void repack(const std::uint8_t* in, std::uint8_t* out, std::size_t width) noexcept {
    for_columns(
        width,
        [&](std::size_t x) {
            store_packed<to, false>(out + packed_bytes<to> * x, load_packed<from>(in + packed_bytes<from> * x));
        },
        [&](std::size_t x, std::size_t columns) {
            std::uint8_t before[4 * step]{}, after[4 * step];
            std::memcpy(before, in + packed_bytes<from> * x, packed_bytes<from> * columns);
            store_packed<to, false>(after, load_packed<from>(before));
            std::memcpy(out + packed_bytes<to> * x, after, packed_bytes<to> * columns);
        });
}

// The last step begins earlier, so that only counts below one step go pair by pair.
void deinterleave_row(const std::uint8_t* pairs, std::uint8_t* first, std::uint8_t* second,
                      std::size_t count) noexcept {
    const std::size_t done = count >= step ? count : 0;
    for (std::size_t at = 0; at < done; at += step) {
        const std::size_t n = std::min(at, done - step);
        const Bytes2 apart = deinterleave(load(pairs + 2 * n), load(pairs + 2 * n + step));
        store(first + n, apart.first);
        store(second + n, apart.second);
    }
    for (std::size_t n = done; n < count; ++n) {
        first[n] = pairs[2 * n];
        second[n] = pairs[2 * n + 1];
    }
}

void interleave_row(const std::uint8_t* first, const std::uint8_t* second, std::uint8_t* pairs,
                    std::size_t count) noexcept {
    const std::size_t done = count >= step ? count : 0;
    for (std::size_t at = 0; at < done; at += step) {
        const std::size_t n = std::min(at, done - step);
        const Bytes2 together = interleave(load(first + n), load(second + n));
        store(pairs + 2 * n, together.first);
        store(pairs + 2 * n + step, together.second);
    }
    for (std::size_t n = done; n < count; ++n) {
        pairs[2 * n] = first[n];
        pairs[2 * n + 1] = second[n];
    }
}

void average_row(const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* out, std::size_t count) noexcept {
    std::size_t n = 0;
    for (; n + step <= count; n += step) store(out + n, average(load(a + n), load(b + n)));
    for (; n < count; ++n) out[n] = static_cast<std::uint8_t>((a[n] + b[n] + 1) / 2);
}

// The tables, a row of them per chroma layout or per order.
template <ChromaLayout layout, std::size_t... order>
constexpr void fill_to_packed(PixelRowsKernels& rows, std::index_sequence<order...>) noexcept {
    ((rows.to_packed[layout][order] = &to_packed<layout, PackedOrder{order}>), ...);
}

template <PackedOrder from, std::size_t... order>
constexpr void fill_repack(PixelRowsKernels& rows, std::index_sequence<order...>) noexcept {
    ((rows.repack[from][order] = &repack<from, PackedOrder{order}>), ...);
}

template <std::size_t... order>
constexpr PixelRowsKernels make_rows(std::index_sequence<order...> orders) noexcept {
    PixelRowsKernels rows{};
    fill_to_packed<planar_chroma>(rows, orders);
    fill_to_packed<paired_chroma>(rows, orders);
    fill_to_packed<no_chroma>(rows, orders);
    ((rows.from_packed[order] = &from_packed<PackedOrder{order}>), ...);
    (fill_repack<PackedOrder{order}>(rows, orders), ...);
    rows.deinterleave = &deinterleave_row;
    rows.interleave = &interleave_row;
    rows.average = &average_row;
    return rows;
}

}  // namespace

constinit const PixelRowsKernels pixel_rows_kernels_variant = make_rows(std::make_index_sequence<packed_orders>());

}  // namespace spike::SPIKE_ISA
