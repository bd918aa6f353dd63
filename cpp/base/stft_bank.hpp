// The short-time Fourier transforms of many signals in step.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "base/stft.hpp"

namespace spike {

// As many at a time as fit side by side, and the rest one by one, which gives the same bits.
class StftBank {
  public:
    StftBank(std::size_t hop_samples, std::size_t hops, std::size_t streams)
        : one_(hop_samples, hops), wide_(hop_samples, hops, streams < least_together ? 1 : lanes) {
        groups_.assign((streams + lanes - least_together) / lanes, Signals(wide_));
        spectra_.assign(std::min(streams, groups_.size() * lanes), Spectrum(one_.bins()));
        rest_.assign(streams - spectra_.size(), Signals(one_));
        samples_.resize(wide_.hop() * wide_.lanes());
    }

    std::size_t streams() const noexcept { return spectra_.size() + rest_.size(); }
    std::size_t size() const noexcept { return one_.size(); }
    std::size_t bins() const noexcept { return one_.bins(); }
    std::size_t overlap() const noexcept { return one_.overlap(); }

    // Of the newest window of a stream.
    SpectrumSpan spectrum(std::size_t stream) noexcept {
        return stream < spectra_.size() ? spectra_[stream].span() : rest_[stream - spectra_.size()].in.spectrum.span();
    }

    // Takes one hop of samples of each stream, one stream after the other.
    void analyse(std::span<const float> fresh) noexcept {
        const std::size_t hop = one_.hop();
        for (std::size_t g = 0; g < groups_.size(); ++g) {
            const std::size_t count = streams_of(g);
            for (std::size_t i = 0; i < count; ++i)
                for (std::size_t n = 0; n < hop; ++n) samples_[n * lanes + i] = fresh[(g * lanes + i) * hop + n];
            wide_.analyse(samples_, groups_[g].in);
            const Spectrum& rows = groups_[g].in.spectrum;
            for (std::size_t i = 0; i < count; ++i) {
                Spectrum& spectrum = spectra_[g * lanes + i];
                for (std::size_t k = 0; k < bins(); ++k) {
                    spectrum.real[k] = rows.real[k * lanes + i];
                    spectrum.imag[k] = rows.imag[k * lanes + i];
                }
            }
        }
        for (std::size_t r = 0; r < rest_.size(); ++r)
            one_.analyse(fresh.subspan((spectra_.size() + r) * hop, hop), rest_[r].in);
    }

    // Gives one hop of samples of each stream from its spectrum, late by the overlap.
    void synthesise(std::span<float> out) noexcept {
        const std::size_t hop = one_.hop();
        for (std::size_t g = 0; g < groups_.size(); ++g) {
            const std::size_t count = streams_of(g);
            Spectrum& rows = groups_[g].in.spectrum;
            for (std::size_t i = 0; i < count; ++i) {
                const Spectrum& spectrum = spectra_[g * lanes + i];
                for (std::size_t k = 0; k < bins(); ++k) {
                    rows.real[k * lanes + i] = spectrum.real[k];
                    rows.imag[k * lanes + i] = spectrum.imag[k];
                }
            }
            wide_.synthesise(rows, groups_[g].out, samples_);
            for (std::size_t i = 0; i < count; ++i)
                for (std::size_t n = 0; n < hop; ++n) out[(g * lanes + i) * hop + n] = samples_[n * lanes + i];
        }
        for (std::size_t r = 0; r < rest_.size(); ++r)
            one_.synthesise(rest_[r].in.spectrum, rest_[r].out, out.subspan((spectra_.size() + r) * hop, hop));
    }

    void reset() noexcept {
        for (auto* signals : {&groups_, &rest_})
            for (Signals& signal : *signals) {
                signal.in.reset();
                signal.out.reset();
            }
    }

  private:
    // One register of the widest instruction set. From `least_together` streams on, lanes that are left empty cost
    // less.
    static constexpr std::size_t lanes = 16, least_together = 6;

    struct Signals {
        explicit Signals(const Stft& stft) : in(stft), out(stft) {}
        Stft::Analysis in;
        Stft::Synthesis out;
    };

    std::size_t streams_of(std::size_t group) const noexcept {
        return std::min(lanes, spectra_.size() - group * lanes);
    }

    Stft one_, wide_;
    std::vector<Signals> groups_, rest_;
    std::vector<Spectrum> spectra_;  // of the streams in groups
    std::vector<float> samples_;     // a hop of a group, side by side
};

}  // namespace spike
