#include "dsp/noise_suppressor.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <string>

#include "base/denormals.hpp"
#include "base/window.hpp"

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

std::size_t frames_of_window(const NoiseSuppressor::Config& config) { return config.weights ? 3 : 2; }

}  // namespace

NoiseSuppressor::NoiseSuppressor(const Config& config)
    : frame_(static_cast<std::size_t>(validated(config).sample_rate_hz) / 100),
      fft_(frames_of_window(config) * frame_),
      window_(sqrt_hann(fft_.size())),
      time_(fft_.size()),
      streams_(config.streams) {
    for (Stream& stream : streams_) {
        stream.previous.resize(fft_.size() - frame_);
        stream.overlap.resize(fft_.size() - frame_);
        stream.real.resize(fft_.bins());
        stream.imag.resize(fft_.bins());
    }
    if (config.weights)
        network_.emplace(config.weights, fft_.size(), config.streams);
    else
        classical_.assign(config.streams, LogMmse(fft_.bins()));
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
    for (Stream& stream : streams_)
        for (auto* buffer : {&stream.previous, &stream.overlap}) std::ranges::fill(*buffer, 0.0f);
    for (LogMmse& classical : classical_) classical.reset();
    if (network_) network_->reset();
    kept_ = least_gain_;
}

void NoiseSuppressor::process(std::span<const float> in, std::span<float> out) noexcept {
    const DenormalsOff denormals_off;
    kept_ += kept_step * (least_gain_ - kept_);
    for (std::size_t s = 0; s < streams_.size(); ++s) {
        Stream& stream = streams_[s];
        analyse(stream, in.subspan(s * frame_, frame_));
        if (network_)
            network_->listen(s, stream.real, stream.imag);
        else
            classical_[s].process(stream.real, stream.imag, kept_);
    }
    if (network_) network_->think();
    for (std::size_t s = 0; s < streams_.size(); ++s) {
        if (network_) network_->filter(s, kept_, streams_[s].real, streams_[s].imag);
        synthesise(streams_[s], out.subspan(s * frame_, frame_));
    }
}

void NoiseSuppressor::analyse(Stream& stream, std::span<const float> in) noexcept {
    const auto fresh = std::ranges::copy(stream.previous, time_.begin()).out;
    std::ranges::copy(in, fresh);
    std::copy(time_.begin() + static_cast<std::ptrdiff_t>(frame_), time_.end(), stream.previous.begin());
    std::ranges::transform(time_, window_, time_.begin(), std::multiplies<>());
    fft_.forward(time_, stream.real, stream.imag);
}

void NoiseSuppressor::synthesise(Stream& stream, std::span<float> out) noexcept {
    fft_.inverse(stream.real, stream.imag, time_);
    // Squares of the windows that meet at a sample add up to half their number.
    const float scale = 2.0f * static_cast<float>(frame_) / static_cast<float>(window_.size());
    for (std::size_t n = 0; n < time_.size(); ++n) time_[n] *= scale * window_[n];
    const std::size_t kept = stream.overlap.size();
    for (std::size_t n = 0; n < kept; ++n) time_[n] += stream.overlap[n];
    std::copy_n(time_.begin(), frame_, out.begin());
    std::copy_n(time_.begin() + static_cast<std::ptrdiff_t>(frame_), kept, stream.overlap.begin());
}

}  // namespace spike
