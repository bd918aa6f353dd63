// A small value that one thread writes and others read, whole.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace spike {

// Contract: one thread stores, and never waits; any thread loads, and tries again where a store came in between.
//
// Method: a sequence lock whose words are atomic (H. Boehm, "Can seqlocks get along with programming language memory
// models?", MSPC 2012).
template <typename Value>
class Published {
    static_assert(std::is_trivially_copyable_v<Value>);

  public:
    Published() noexcept { store(Value{}); }

    void store(const Value& value) noexcept {
        Words words{};
        std::memcpy(words.data(), &value, sizeof(Value));
        const std::uint32_t turn = turn_.load(std::memory_order_relaxed);
        turn_.store(turn + 1, std::memory_order_relaxed);
        // Release on each word, not a fence: the thread sanitizer knows no fences.
        for (std::size_t n = 0; n < words.size(); ++n) words_[n].store(words[n], std::memory_order_release);
        turn_.store(turn + 2, std::memory_order_release);
    }

    Value load() const noexcept {
        Words words;
        std::uint32_t before = 0, after = 0;
        do {
            before = turn_.load(std::memory_order_acquire);
            for (std::size_t n = 0; n < words.size(); ++n) words[n] = words_[n].load(std::memory_order_acquire);
            after = turn_.load(std::memory_order_relaxed);
        } while (before != after || before % 2 != 0);
        Value value;
        std::memcpy(static_cast<void*>(&value), words.data(), sizeof(Value));
        return value;
    }

  private:
    static constexpr std::size_t count = (sizeof(Value) + 7) / 8;
    using Words = std::array<std::uint64_t, count>;

    std::atomic<std::uint32_t> turn_{0};
    std::array<std::atomic<std::uint64_t>, count> words_{};
};

}  // namespace spike
