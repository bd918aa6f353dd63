#include "dsp/voice_detector.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace spike {
namespace {

constexpr std::array<int, 5> edges_hz{150, 500, 1000, 2000, 3800};
constexpr float quiet_db = -75.0f;      // a band below this is silence, whatever its floor
constexpr float floor_rise_db = 0.03f;  // a frame: 3 dB a second
constexpr float floor_fall = 0.2f;      // of the distance, a frame
constexpr float most_snr_db = 25.0f;
constexpr float even_odds_db = 9.0f;
constexpr float odds_slope_db = 2.0f;
constexpr float attack = 0.35f, release = 0.15f;
constexpr float active_probability = 0.6f;

}  // namespace

VoiceDetector::VoiceDetector(const Config& config)
    : frame_(static_cast<std::size_t>(std::max(config.sample_rate_hz, 0)) / 100),
      stft_(config.sample_rate_hz >= 8000 && config.sample_rate_hz <= 48000 && config.sample_rate_hz % 100 == 0
                ? frame_
                : throw std::invalid_argument("sample_rate_hz must be a multiple of 100 from 8000 to 48000, not " +
                                              std::to_string(config.sample_rate_hz)),
            2),
      signal_(stft_),
      hangover_frames_(config.hangover_ms / 10) {
    if (config.hangover_ms < 0) throw std::invalid_argument("hangover_ms must not be negative");
    for (std::size_t edge = 0; edge <= bands; ++edge)
        edges_[edge] =
            static_cast<std::size_t>(edges_hz[edge]) * 2 * frame_ / static_cast<std::size_t>(config.sample_rate_hz);
    reset();
}

void VoiceDetector::reset() noexcept {
    signal_.reset();
    floor_db_.fill(quiet_db);
    probability_ = 0.0f;
    hangover_left_ = 0;
}

float VoiceDetector::process(std::span<const float> frame) noexcept {
    stft_.analyse(frame, signal_);
    const SpectrumView spectrum = signal_.spectrum;
    float snr_db = 0.0f;
    const float scale = 1.0f / (static_cast<float>(frame_) * static_cast<float>(frame_));
    for (std::size_t band = 0; band < bands; ++band) {
        float power = 1e-12f;
        for (std::size_t k = edges_[band]; k < edges_[band + 1]; ++k) power += scale * spectrum.power(k);
        const float level_db = std::max(quiet_db, 10.0f * std::log10(power));
        float& floor_db = floor_db_[band];
        floor_db +=
            level_db < floor_db ? floor_fall * (level_db - floor_db) : std::min(floor_rise_db, level_db - floor_db);
        snr_db += std::clamp(level_db - floor_db, 0.0f, most_snr_db) / static_cast<float>(bands);
    }
    const float odds = 1.0f / (1.0f + std::exp((even_odds_db - snr_db) / odds_slope_db));
    probability_ += (odds > probability_ ? attack : release) * (odds - probability_);
    if (probability_ > active_probability)
        hangover_left_ = hangover_frames_ + 1;
    else if (hangover_left_ > 0)
        --hangover_left_;
    return probability_;
}

}  // namespace spike
