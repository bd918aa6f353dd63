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

    // A block of the microphone, and what is known of it beside the model.
    struct Block {
        std::span<const float> microphone;
        bool is_deaf = false;    // the microphone gives nothing that was heard
        float most_echo = 0.0f;  // the most power that an echo can have
        bool is_none = false;    // nothing in it is an echo
    };

    // One block, after the far end's. Then `error` and `echo` are those of the sure filter, until `race`. Nothing is
    // learned from a microphone that hears nothing, or much less than the echo that is predicted: it has been muted or
    // turned down. When it hears again, the model has to prove itself before its prediction is taken out.
    void process(const Block& block) noexcept;

    // The last block was learned from.
    bool is_learning() const noexcept { return !state_.is_frozen; }

    // The model takes so much out of the microphone that there is an echo.
    bool is_proven() const noexcept;

    // How much of the far end's power may come back, against a loud path.
    void expect(float share) noexcept { sure_.model().expect(share); }

    // As many times the far end's power may come back in the bins from `begin` to `end`. The quick filter alone looks
    // for it, since it may be somebody who talks.
    void allow(std::size_t begin, std::size_t end, float times) noexcept;

    // There is an echo, other than was believed: both filters are as unsure as at the start.
    void start_anew() noexcept;

    // The model works: it is remembered from time to time.
    void remember() noexcept;

    // The path has changed: the quick filter is as unsure as at the start, at most some times a second. The other goes
    // on as it is. To be called for each block.
    void relearn(bool has_changed) noexcept;

    // The better filter's model is taken over where it is much better, and its output is what is read.
    void race(std::span<const float> microphone) noexcept;

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
    void freeze_or_learn(const Block& block) noexcept;
    void follow_proof(std::span<const float> microphone) noexcept;
    bool quick_is_believed() const noexcept;
    static void pass(std::span<const float> microphone, std::span<float> error, std::span<float> echo) noexcept;

    AdaptiveFilter sure_, quick_;
    PathModel old_, older_;  // memories
    std::vector<float> error_, echo_, quick_error_, quick_echo_;
    struct State {
        float sure_power = 0.0f, quick_power = 0.0f;  // of what the two leave
        float microphone_power = 0.0f;                // as long as theirs
        float most_echo = 0.0f;                       // of this block
        bool is_none = false;                         // nothing of it is to be taken out
        bool is_frozen = false, is_on_trial = false;
        int frozen_blocks = 0, blocks_on_trial = 0;
        int proofs = 0;  // blocks in a row
        int blocks_since_memory = 0, memories = 0;
        int blocks_since_relearning = 0;
    };
    State state_;
};

}  // namespace spike
