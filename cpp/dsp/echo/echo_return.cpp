#include "dsp/echo/echo_return.hpp"

#include <algorithm>

#include "base/power.hpp"

namespace spike {
namespace {

constexpr std::array edges_hz{50, 200, 300, 400, 600, 800, 1000, 1300, 1700, 2200, 2800, 3500, 4400, 5600, 7000, 9000};
static_assert(edges_hz.size() == EchoReturn::bands);
constexpr float smoothing = 0.6f;       // of the powers, over some blocks
constexpr float unknown = 1e6f;         // returned, as long as nothing is known
constexpr float rise = 1.012f;          // a chunk: half a decibel a second
constexpr float margin = 2.0f;          // for a room that adds up what was played over some time
constexpr float distortion = 0.02f;     // of an echo's power, that a loudspeaker puts into other bands
constexpr float begins_power = 4.0f;    // times the last block's
constexpr float heard_power = 1e-7f;    // of a far end that says something
constexpr float aloud_power = 1e-4f;    // of a far end that says something aloud
constexpr float audible_power = 1e-9f;  // of a band of such a far end
constexpr float loud_share = 0.001f;    // of the loudest band, that one must have to tell something
constexpr float loudest_kept = 0.999f;  // a chunk
// A microphone with a noise gate hears nothing of what is soft: only what is loud, for this far end, tells how much
// comes back; and what was learned of a soft far end is forgotten when it becomes so much louder.
constexpr float loud_for_it = 0.05f, much_louder = 10.0f;
constexpr float least_share = 0.002f;  // of the microphone's power, that may be an echo where none is found
constexpr float new_sound = 20.0f;     // times the loudest so far: it may be another one

}  // namespace

EchoReturn::EchoReturn(std::size_t block_samples, int sample_rate_hz)
    : stft_(block_samples, 2), far_(stft_), phase_match_(block_samples, sample_rate_hz) {
    for (std::size_t band = 0; band < bands; ++band)
        edges_[band] = std::min(stft_.bins(), static_cast<std::size_t>(edges_hz[band]) * stft_.size() /
                                                  static_cast<std::size_t>(sample_rate_hz));
    edges_[bands] = stft_.bins();
    reset();
}

void EchoReturn::reset() noexcept {
    far_.reset();
    envelope_match_.reset();
    phase_match_.reset();
    state_ = {};
    forget();
    state_.is_proven = false;
}

void EchoReturn::forget() noexcept {
    state_.returned.fill(unknown);
    state_.known_chunks = 0;
    state_.likely_echo.fill(unknown * unknown);
    state_.is_proven = true;
}

void EchoReturn::follow(SpectrumView spectrum, Bands& powers) const noexcept {
    for (std::size_t band = 0; band < bands; ++band) {
        float sum = 0.0f;
        for (std::size_t k = begin(band); k < end(band); ++k) sum += spectrum.power(k);
        powers[band] += (1.0f - smoothing) * (sum - powers[band]);
    }
}

void EchoReturn::hear(const Block& block) noexcept {
    follow(block.spectrum, state_.microphone);
    follow_far(block.far);
    state_.deaf[state_.chunk] = state_.deaf[state_.chunk] || block.is_deaf;
    Bands &heard = state_.heard[state_.chunk], &played = state_.played[state_.chunk];
    for (std::size_t band = 0; band < bands; ++band) {
        heard[band] = std::max(heard[band], state_.microphone[band]);
        played[band] = std::max(played[band], state_.far[band]);
        if (state_.far[band] > much_louder * state_.loudest[band]) state_.returned[band] = unknown;
        state_.loudest[band] = std::max(state_.loudest[band], state_.far[band]);
        state_.most_far[band] = std::max(state_.most_far[band], state_.far[band]);
    }
    if (!state_.is_proven) match(block);
    bound_echo();
    compare_loudest();
    if (++state_.blocks == chunk_blocks) end_chunk();
}

void EchoReturn::match(const Block& block) noexcept {
    phase_match_.hear(block.microphone, block.far);
    const float hop = static_cast<float>(stft_.hop()), scale = 1.0f / (hop * hop);
    Bands microphone, far;
    for (std::size_t band = 0; band < bands; ++band) {
        microphone[band] = scale * state_.microphone[band];
        far[band] = scale * state_.far[band];
    }
    envelope_match_.hear(microphone, far);
}

// A band in which the far end has been silent so far has no bound of its own.
void EchoReturn::bound_echo() noexcept {
    float most_known = 0.0f, sum = 0.0f;
    for (const float returned : state_.returned)
        if (returned < unknown) most_known = std::max(most_known, returned);
    if (most_known == 0.0f) {
        state_.most_echo.fill(unknown * unknown);
        return;
    }
    for (std::size_t band = 0; band < bands; ++band) {
        state_.most_echo[band] = std::min(state_.returned[band], most_known) * state_.most_far[band];
        sum += state_.most_echo[band];
    }
    for (float& echo : state_.most_echo) echo = margin * (echo + distortion * sum);
}

// Every other window is enough to know how loud the far end is, unless it begins.
void EchoReturn::follow_far(std::span<const float> far) noexcept {
    const float power = mean_power(far);
    const bool begins = power > begins_power * state_.far_power;
    state_.far_power = power;
    if (state_.blocks % 2 == 0 && !begins) {
        std::ranges::copy(far, far_.previous.begin());
        return;
    }
    stft_.analyse(far, far_);
    follow(far_.spectrum, state_.far);
}

// What was played in the oldest chunk has come back by now.
void EchoReturn::end_chunk() noexcept {
    state_.blocks = 0;
    state_.chunk = (state_.chunk + 1) % chunks;
    state_.known_chunks = std::min(state_.known_chunks + 1, chunks);
    const Bands oldest = state_.played[state_.chunk];
    const float hop = static_cast<float>(stft_.hop()), loudest = *std::ranges::max_element(oldest);
    const bool tells = state_.known_chunks == chunks && loudest > heard_power * hop * hop &&
                       std::ranges::none_of(state_.deaf, [](bool deaf) { return deaf; });
    state_.played[state_.chunk] = state_.far;
    for (std::size_t band = 0; band < bands; ++band) {
        float heard = 0.0f, played = 0.0f;
        for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
            heard = std::max(heard, state_.heard[chunk][band]);
            played = std::max(played, state_.played[chunk][band]);
        }
        float& returned = state_.returned[band];
        returned = std::min(returned * rise, unknown);
        if (tells && oldest[band] > loud_share * loudest && oldest[band] > loud_for_it * state_.loudest[band])
            returned = std::min(returned, heard / oldest[band]);
        state_.most_far[band] = played;
        state_.loudest[band] *= loudest_kept;
    }
    state_.heard[state_.chunk] = state_.microphone;
    state_.deaf[state_.chunk] = false;
}

void EchoReturn::compare_loudest() noexcept {
    Bands& loudest = state_.loudest_heard;
    float played = 0.0f;
    for (std::size_t band = 0; band < bands; ++band) {
        loudest[band] = 0.0f;
        for (const Bands& heard : state_.heard) loudest[band] = std::max(loudest[band], heard[band]);
        played += state_.most_far[band];
    }
    const auto hop = static_cast<float>(stft_.hop());
    const bool is_aloud = played > aloud_power * hop * hop;
    for (std::size_t band = 0; band < bands; ++band) {
        const bool is_heard = is_aloud && state_.most_far[band] > audible_power * hop * hop;
        state_.times_heard[band] = is_heard ? loudest[band] / state_.most_far[band] : 0.0f;
    }
}

void EchoReturn::notice(bool is_loud) noexcept {
    if (state_.is_proven) return;
    if (is_loud) {
        float heard = 0.0f;
        for (const float power : state_.microphone) heard += power;
        if (heard > new_sound * state_.loudest_sound) {
            phase_match_.begin();
            envelope_match_.begin();
        }
        state_.loudest_sound = std::max(state_.loudest_sound, heard);
    }
    if (!is_none()) {
        state_.likely_echo.fill(unknown * unknown);
        return;
    }
    float sum = 0.0f;
    for (const float power : state_.loudest_heard) sum += power;
    for (std::size_t band = 0; band < bands; ++band)
        state_.likely_echo[band] = least_share * (state_.loudest_heard[band] + distortion * sum);
}

void EchoReturn::raise() noexcept {
    if (!state_.is_proven && (is_none() || phase_match_.is_undecided())) return;
    state_.is_proven = true;
    state_.likely_echo.fill(unknown * unknown);
    for (std::size_t band = 0; band < bands; ++band)
        state_.returned[band] =
            std::clamp(state_.microphone[band] / (state_.most_far[band] + 1e-12f), state_.returned[band], unknown);
}

float EchoReturn::most_echo() const noexcept {
    float sum = 0.0f;
    for (const float power : state_.most_echo) sum += power;
    const float hop = static_cast<float>(stft_.hop());  // of a spectrum of two, windowed, half of it left out
    return sum / (hop * hop);
}

float EchoReturn::share() const noexcept {
    float echo = 1e-6f, far = 1e-6f;
    for (std::size_t band = 0; band < bands; ++band) {
        echo += std::min(state_.returned[band], 1.0f) * state_.most_far[band];
        far += state_.most_far[band];
    }
    return echo / far;
}

}  // namespace spike
