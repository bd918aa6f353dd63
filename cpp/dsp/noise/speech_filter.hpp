// The neural suppressor: a network that hears a frame and answers with a filter for it.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "dsp/neural/mask_network.hpp"
#include "dsp/neural/spectral_steps.hpp"

namespace spike {

// Gains of bands on the ERB scale and, for the low bins, complex filters over two frames, as training/noise/network.py.
// Serves several streams at once: each listens, all think together, each is filtered.
//
// Method: H. Schröter, A. Escalante-B., T. Rosenkranz and A. Maier, "DeepFilterNet: a low complexity speech enhancement
// framework for full-band audio based on deep filtering", ICASSP 2022, for band gains with filters of low bins.
class SpeechFilter {
  public:
    // Of the spectra of windows of 30 ms, `window_samples`, 10 ms apart. Throws WeightsError where the weights are of
    // another network.
    SpeechFilter(std::shared_ptr<const Weights> weights, std::size_t window_samples, std::size_t streams);

    // Takes in a stream's spectrum.
    void listen(std::size_t stream, SpectrumView spectrum) noexcept;
    void think() noexcept { network_.think(); }
    // The cleaned spectrum of the frame that `listen` took, with `kept` of what was there, 0 to 1.
    void filter(std::size_t stream, float kept, SpectrumSpan spectrum) noexcept;

    float speech_probability(std::size_t stream) const noexcept { return network_.voice_probability(stream); }
    void reset() noexcept;

    // What the network hears and answers, for tests.
    std::span<const float> features(std::size_t stream) const noexcept { return network_.features(stream); }
    std::span<const float> gains(std::size_t stream) const noexcept { return network_.gains(stream); }
    std::span<const float> filters(std::size_t stream) const noexcept { return network_.filters(stream); }

  private:
    static constexpr std::size_t taps = 2;

    struct Stream {
        std::array<Spectrum, taps> frames;  // the newest one, at `newest`, and the one before
        std::vector<float> mean_db;
        std::size_t newest = 0;
        bool heard = false;

        // The newest frame, or one so many before it.
        SpectrumView frame(std::size_t before = 0) const noexcept { return frames[(newest + before) % taps]; }
    };

    void read_bands(std::span<const float> edges);
    void hear_levels(Stream& stream, std::span<float> features) noexcept;

    MaskNetwork network_;
    std::size_t bins_, low_bins_;
    float scale_;  // of a power, so that a sine of amplitude 1 is near 1
    PhaseAdvance advance_;
    const NeuralKernels* kernels_;
    std::vector<std::size_t> begin_;          // of each band's bins; the rest of a bin is the next band's
    std::vector<float> share_, band_weight_;  // of a bin in its band; of a band
    std::vector<float> power_, band_db_;
    std::vector<Stream> streams_;
};

}  // namespace spike
