// Two adaptive filters that learn the same path at two speeds, and what was known of it some time ago.
#pragma once

#include <span>
#include <vector>

#include "dsp/echo/adaptive_filter.hpp"

namespace spike {

// One filter is sure, the other quick: it learns a changed room sooner, and is led astray sooner. They race: which
// leaves clearly less of the microphone hands its model to the other. While the sure one works, its model is remembered
// now and then, so that a path that only moved in time need not be learned again.
class FilterPair {
  public:
    // `far` must outlive the pair.
    explicit FilterPair(const FarSpectra& far);

    // One block, after the far end's. Then `error` and `echo` are those of the sure filter, until `race`.
    void process(std::span<const float> microphone) noexcept;

    // The model works: it is remembered from time to time.
    void remember() noexcept;

    // The path has changed: the quick filter is as unsure as at the start, at most some times a second. The other goes
    // on as it is. To be called for each block.
    void relearn(bool has_changed) noexcept;

    // The better filter's model is taken over where it is much better, and its output is what is read.
    void race() noexcept;

    // Of the last block: what is left of the microphone, and the echo that was predicted.
    std::span<const float> error() const noexcept { return error_; }
    std::span<const float> echo() const noexcept { return echo_; }

    // Expected power of the echo that is still in the error, per bin.
    std::span<const float> residual_power() const noexcept { return sure_.residual_power(); }

    AdaptiveFilter& sure() noexcept { return sure_; }

    // The older memory is worth having.
    bool remembers() const noexcept { return state_.memories >= 2; }

    // The older memory as samples of a response.
    void remembered_response(std::span<float> response) noexcept { sure_.impulse_response(older_, response); }

    // Both filters go on from the older memory, which they are to doubt.
    void recall() noexcept;

    // After `recall`: what was learned since then belongs to another delay.
    void forget_since_memory() noexcept;

    // The far end is read `blocks` later from now on.
    void shift(std::ptrdiff_t blocks) noexcept;

    void reset() noexcept;

  private:
    AdaptiveFilter sure_, quick_;
    PathModel old_, older_;  // memories
    std::vector<float> error_, echo_, quick_error_, quick_echo_;
    struct State {
        float sure_power = 0.0f, quick_power = 0.0f;  // of what the two leave
        int blocks_since_memory = 0, memories = 0;
        int blocks_since_relearning = 0;
    };
    State state_;
};

}  // namespace spike
