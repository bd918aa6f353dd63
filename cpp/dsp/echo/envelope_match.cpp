#include "dsp/echo/envelope_match.hpp"

#include <algorithm>
#include <cmath>

namespace spike {
namespace {

constexpr float kept = 0.99f;            // of the sums, a block: they reach back a second
constexpr float least_variance = 0.01f;  // of the microphone's, that a far end needs to be compared
constexpr float quietest_microphone = 1e-7f, quietest_far = 1e-6f;
constexpr int flank_blocks = 2;  // in which anything that begins is like any other
constexpr int blocks_between_judgements = 4, enough_blocks = 12;
constexpr float alike = 0.74f;  // the correlation that another rhythm seldom reaches

void to_levels(const EnvelopeMatch::Bands& powers, float quietest, EnvelopeMatch::Bands& levels) noexcept {
    std::ranges::transform(powers, levels.begin(),
                           [quietest](float power) { return std::log(1.0f + power / quietest); });
}

// Of sums over `weight` blocks: of the products, and of each.
float covariance(float products, const EnvelopeMatch::Bands& one, const EnvelopeMatch::Bands& other,
                 float weight) noexcept {
    float of_means = 0.0f;
    for (std::size_t band = 0; band < EnvelopeMatch::bands; ++band) of_means += one[band] * other[band];
    return products - of_means / weight;
}

float variance(float squares, const EnvelopeMatch::Bands& sums, float weight) noexcept {
    return std::max(0.0f, covariance(squares, sums, sums, weight));
}

}  // namespace

EnvelopeMatch::EnvelopeMatch() : far_(delays), sums_(delays) { reset(); }

void EnvelopeMatch::reset() noexcept {
    std::ranges::fill(far_, Bands{});
    state_ = {};
}

void EnvelopeMatch::begin() noexcept {
    std::ranges::fill(sums_, Sums{});
    state_ = {.now = state_.now, .blocks = 0};
}

void EnvelopeMatch::follow(Sums& sums, const Bands& far, const Bands& microphone) const noexcept {
    float squares = 0.0f, products = 0.0f;
    for (std::size_t band = 0; band < bands; ++band) {
        sums.levels[band] = kept * sums.levels[band] + far[band];
        squares += far[band] * far[band];
        products += far[band] * microphone[band];
    }
    sums.squares = kept * sums.squares + squares;
    sums.products = kept * sums.products + products;
}

void EnvelopeMatch::hear(const Bands& microphone, const Bands& far) noexcept {
    state_.now = (state_.now + 1) % delays;
    to_levels(far, quietest_far, far_[state_.now]);
    if (state_.blocks < 0) return;
    ++state_.blocks;
    if (state_.blocks <= flank_blocks) return;
    Bands levels;
    to_levels(microphone, quietest_microphone, levels);
    state_.weight = kept * state_.weight + 1.0f;
    float squares = 0.0f;
    for (std::size_t band = 0; band < bands; ++band) {
        state_.levels[band] = kept * state_.levels[band] + levels[band];
        squares += levels[band] * levels[band];
    }
    state_.squares = kept * state_.squares + squares;
    for (std::size_t delay = 0; delay < delays; ++delay)
        follow(sums_[delay], far_[(state_.now + delays - delay) % delays], levels);
    if (state_.blocks >= enough_blocks && state_.blocks % blocks_between_judgements == 0) judge();
}

void EnvelopeMatch::judge() noexcept {
    float most = 0.0f;
    const float own = variance(state_.squares, state_.levels, state_.weight);
    for (const Sums& sums : sums_) {
        const float common = covariance(sums.products, sums.levels, state_.levels, state_.weight);
        const float played = variance(sums.squares, sums.levels, state_.weight);
        if (played > least_variance * own) most = std::max(most, common / std::sqrt(own * played));
    }
    state_.is_alike = most >= alike;
}

}  // namespace spike
