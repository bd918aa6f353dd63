#include "dsp/echo/echo_mask.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace spike {
namespace {

constexpr float floor_power = 1e-6f;
constexpr float block_samples_at_16k = 160.0f;

// Where each band begins, and the end of the last: single bins, then pairs, then some 300 Hz.
constexpr std::array<std::size_t, EchoMask::bands + 1> edges = [] {
    std::array<std::size_t, EchoMask::bands + 1> made{};
    for (std::size_t band = 0; band < 32; ++band) made[band] = band;
    for (std::size_t band = 0; band < 16; ++band) made[32 + band] = 32 + 2 * band;
    constexpr std::array<std::size_t, 17> wide{64,  70,  76,  82,  88,  94,  100, 106, 112,
                                               119, 125, 131, 137, 143, 149, 155, 161};
    for (std::size_t band = 0; band < wide.size(); ++band) made[48 + band] = wide[band];
    return made;
}();

float level_of(float power) noexcept { return (10.0f * std::log10(power + floor_power) + 20.0f) / 25.0f; }

}  // namespace

EchoMask::EchoMask(std::shared_ptr<const Weights> weights, std::size_t block_samples)
    : weights_(std::move(weights)),
      scale_(block_samples_at_16k / static_cast<float>(block_samples)),
      inputs_(*weights_, "inputs", Activation::relu, 1),
      first_(*weights_, "first", 1),
      second_(*weights_, "second", 1),
      answer_(*weights_, "gains", Activation::sigmoid, 1),
      voice_(*weights_, "voice", Activation::sigmoid, 1),
      heard_(1, inputs_.inputs()),
      joined_(1, inputs_.outputs()),
      state_(1, second_.outputs()),
      band_gains_(1, answer_.outputs()),
      chance_(1, voice_.outputs()),
      gains_(bins) {
    scale_ *= scale_;
    if (inputs_.inputs() != 6 * bands || answer_.outputs() != bands)
        throw WeightsError(weights_->name() + " holds another network than the echo mask");
    reset();
}

void EchoMask::reset() noexcept {
    first_.reset();
    second_.reset();
    std::fill(gains_.begin(), gains_.end(), 1.0f);
    near_end_probability_ = 0.0f;
}

void EchoMask::band_powers(const Spectrum& spectrum, std::span<float> powers) const noexcept {
    for (std::size_t band = 0; band < bands; ++band) {
        float sum = 0.0f;
        for (std::size_t k = edges[band]; k < edges[band + 1]; ++k)
            sum += spectrum.real[k] * spectrum.real[k] + spectrum.imag[k] * spectrum.imag[k];
        powers[band] = scale_ * sum / static_cast<float>(edges[band + 1] - edges[band]);
    }
}

void EchoMask::hear(const Spectrum& microphone, const Spectrum& error, const Spectrum& echo,
                    const Spectrum& far) noexcept {
    const auto heard = heard_.of(0);
    const Spectrum* const signals[] = {&microphone, &error, &echo, &far};
    for (std::size_t signal = 0; signal < 4; ++signal)
        band_powers(*signals[signal], heard.subspan(signal * bands, bands));
    for (std::size_t band = 0; band < bands; ++band) {
        float real = 0.0f, imag = 0.0f;  // error times the echo's conjugate
        for (std::size_t k = edges[band]; k < edges[band + 1]; ++k) {
            real += error.real[k] * echo.real[k] + error.imag[k] * echo.imag[k];
            imag += error.imag[k] * echo.real[k] - error.real[k] * echo.imag[k];
        }
        const float powers = heard[bands + band] * heard[2 * bands + band];
        const float share = scale_ / (static_cast<float>(edges[band + 1] - edges[band]) *
                                      std::sqrt(powers + floor_power * floor_power));
        heard[4 * bands + band] = real * share;
        heard[5 * bands + band] = imag * share;
    }
    for (float& power : heard.first(4 * bands)) power = level_of(power);
}

void EchoMask::process(const Spectrum& microphone, const Spectrum& error, const Spectrum& echo,
                       const Spectrum& far) noexcept {
    hear(microphone, error, echo, far);
    inputs_.process(heard_, joined_);
    const Activations& first = first_.process(joined_);
    const Activations& second = second_.process(first);
    const auto sum = state_.of(0);
    for (std::size_t n = 0; n < sum.size(); ++n) sum[n] = first.of(0)[n] + second.of(0)[n];
    answer_.process(state_, band_gains_);
    voice_.process(state_, chance_);
    near_end_probability_ = chance_.of(0)[0];
    for (std::size_t band = 0; band < bands; ++band)
        std::fill(gains_.begin() + static_cast<std::ptrdiff_t>(edges[band]),
                  gains_.begin() + static_cast<std::ptrdiff_t>(edges[band + 1]), band_gains_.of(0)[band]);
}

}  // namespace spike
