#include "dsp/noise_suppressor.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "base/denormals.hpp"

namespace spike {
namespace {

constexpr float kept_step = 0.35f;  // of the way to a new attenuation, each frame

NoiseSuppressor::Config validated(const NoiseSuppressor::Config& config) {
    if (config.sample_rate_hz < 8000 || config.sample_rate_hz > 48000 || config.sample_rate_hz % 100 != 0)
        throw std::invalid_argument("sample_rate_hz must be a multiple of 100 from 8000 to 48000, not " +
                                    std::to_string(config.sample_rate_hz));
    if (config.streams == 0 || config.streams > 4096)
        throw std::invalid_argument("streams must be from 1 to 4096, not " + std::to_string(config.streams));
    return config;
}

std::size_t window_frames(const NoiseSuppressor::Config& config) { return config.weights ? 3 : 2; }

}  // namespace

NoiseSuppressor::NoiseSuppressor(const Config& config)
    : frame_(static_cast<std::size_t>(validated(config).sample_rate_hz) / 100),
      stft_(frame_, window_frames(config), config.streams) {
    if (config.weights)
        network_.emplace(config.weights, stft_.size(), config.streams);
    else
        classical_.assign(config.streams, LogMmse(stft_.bins()));
    set_attenuation_db(config.attenuation_db.value_or(network_ ? neural_attenuation_db : classical_attenuation_db));
    reset();
}

void NoiseSuppressor::set_attenuation_db(float attenuation_db) {
    if (!(attenuation_db >= 0.0f && attenuation_db <= 60.0f))
        throw std::invalid_argument("attenuation_db must be from 0 to 60");
    attenuation_db_ = attenuation_db;
    least_gain_ = std::pow(10.0f, -attenuation_db / 20.0f);
}

float NoiseSuppressor::speech_probability(std::size_t stream) const noexcept {
    return network_ ? network_->speech_probability(stream) : classical_[stream].speech_probability();
}

void NoiseSuppressor::reset() noexcept {
    stft_.reset();
    for (LogMmse& classical : classical_) classical.reset();
    if (network_) network_->reset();
    kept_ = least_gain_;
}

void NoiseSuppressor::process(std::span<const float> in, std::span<float> out) noexcept {
    const DenormalsOff denormals_off;
    kept_ += kept_step * (least_gain_ - kept_);
    stft_.analyse(in);
    for (std::size_t s = 0; s < streams(); ++s) {
        if (network_)
            network_->listen(s, stft_.spectrum(s));
        else
            classical_[s].process(stft_.spectrum(s), kept_);
    }
    if (network_) {
        network_->think();
        for (std::size_t s = 0; s < streams(); ++s) network_->filter(s, kept_, stft_.spectrum(s));
    }
    stft_.synthesise(out);
}

}  // namespace spike
