// The samples that come next, and behind them those that were played last.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace spike {

class SampleLine {
  public:
    // `most_waiting`: samples that wait at a time, with the room for what is appended next.
    SampleLine(std::size_t history, std::size_t most_waiting)
        : history_(history), samples_(history + most_waiting), taken_(history), filled_(history) {}

    std::size_t waiting() const noexcept { return filled_ - taken_; }

    // All that is kept, oldest first; the last `waiting()` of it have not been taken.
    std::span<float> kept() noexcept { return {samples_.data(), filled_}; }
    std::span<const float> history() const noexcept {
        return std::span(samples_).subspan(filled_ - history_, history_);
    }

    // Room for `count` samples behind the last one; they count with grow().
    std::span<float> room(std::size_t count) noexcept {
        if (filled_ + count > samples_.size()) {
            const std::size_t gone = std::min(taken_, filled_ - history_);
            std::copy(samples_.begin() + gone, samples_.begin() + filled_, samples_.begin());
            taken_ -= gone;
            filled_ -= gone;
        }
        return std::span(samples_).subspan(filled_, std::min(count, samples_.size() - filled_));
    }
    void grow(std::size_t count) noexcept { filled_ += count; }
    void shrink(std::size_t count) noexcept { filled_ -= count; }

    void take(std::span<float> out) noexcept {
        std::copy_n(samples_.begin() + taken_, out.size(), out.begin());
        taken_ += out.size();
    }

    void reset() noexcept {
        std::ranges::fill(samples_, 0.0f);
        taken_ = filled_ = history_;
    }

  private:
    std::size_t history_;
    std::vector<float> samples_;
    std::size_t taken_, filled_;
};

}  // namespace spike
