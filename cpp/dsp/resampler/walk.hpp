// Where the outputs of a resampler lie among its inputs.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace spike {

struct Place {
    std::ptrdiff_t first = 0;  // input that the output's filter begins at
    std::uint64_t phase = 0;   // how far the output lies behind an input, in units
};

// Goes from output to output in exact arithmetic: a unit is a fraction of the distance between two inputs.
class Walk {
  public:
    Walk() = default;
    Walk(Place start, std::uint64_t units_per_input, std::uint64_t step_units) noexcept
        : place(start), units_(units_per_input) {
        set_step(static_cast<std::int64_t>(step_units));
    }

    Place place;

    std::uint64_t units() const noexcept { return units_; }  // per input

    std::ptrdiff_t whole_step() const noexcept { return whole_; }

    // Count in finer units from here on.
    void refine(std::uint64_t units_per_input) noexcept {
        const double scale = static_cast<double>(units_per_input) / static_cast<double>(units_);
        place.phase = static_cast<std::uint64_t>(static_cast<double>(place.phase) * scale);
        units_ = units_per_input;
        set_step(std::llround(static_cast<double>(step_) * scale));
    }

    // Reach a step of `units` over the next `moves` moves.
    void glide(std::int64_t units, std::size_t moves) noexcept {
        target_ = units;
        changes_ = moves;
        change_ = (target_ - step_) / static_cast<std::int64_t>(moves);
    }

    // How many moves begin at a place whose first input is not behind `last`. The walk must be steady.
    std::size_t moves_until(std::ptrdiff_t last) const noexcept {
        const auto units = static_cast<std::int64_t>(units_);
        std::size_t moves = 0;
        Place at = place;
        for (; last - at.first >= stretch; at.first += stretch) {  // further, the product would overflow
            const std::int64_t reach = stretch * units - static_cast<std::int64_t>(at.phase);
            const std::int64_t count = (reach + step_ - 1) / step_;
            at.phase = static_cast<std::uint64_t>(count * step_ - reach);
            moves += static_cast<std::size_t>(count);
            at.first += static_cast<std::ptrdiff_t>(at.phase / units_);
            at.phase %= units_;
        }
        const std::int64_t reach = (last + 1 - at.first) * units - static_cast<std::int64_t>(at.phase);
        return moves + (reach <= 0 ? 0 : static_cast<std::size_t>((reach + step_ - 1) / step_));
    }
    bool steady() const noexcept { return changes_ == 0; }

    void move() noexcept {
        if (changes_ > 0) change_step();
        place.phase += part_;
        const bool carry = place.phase >= units_;
        place.phase -= carry ? units_ : 0;
        place.first += whole_ + (carry ? 1 : 0);
    }

  private:
    void set_step(std::int64_t units) noexcept {
        step_ = units;
        whole_ = static_cast<std::ptrdiff_t>(units / static_cast<std::int64_t>(units_));
        part_ = static_cast<std::uint64_t>(units % static_cast<std::int64_t>(units_));
    }

    // By less than an input, so that no division is needed.
    void change_step() noexcept {
        if (--changes_ == 0) return set_step(target_);
        step_ += change_;
        const auto units = static_cast<std::int64_t>(units_);
        const std::int64_t part = static_cast<std::int64_t>(part_) + change_;
        const int carry = part >= units ? 1 : part < 0 ? -1 : 0;
        whole_ += carry;
        part_ = static_cast<std::uint64_t>(part - carry * units);
    }

    static constexpr std::ptrdiff_t stretch = std::ptrdiff_t{1} << 20;

    std::uint64_t units_ = 1;
    std::ptrdiff_t whole_ = 1;  // the step: inputs
    std::uint64_t part_ = 0;    // and what is left of it, in units
    std::int64_t step_ = 1, target_ = 1, change_ = 0;
    std::size_t changes_ = 0;  // moves that still change the step
};

}  // namespace spike
