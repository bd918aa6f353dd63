// Memory for packets on their way from the thread that receives them to the thread that plays them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace spike {

// What is known of a packet besides its payload.
struct PacketHeader {
    std::uint32_t timestamp = 0;
    std::uint32_t ssrc = 0;
    std::uint16_t sequence_number = 0;
    std::uint8_t decoder = 0;      // which of the receiver's
    bool redundant = false;        // a repetition that came with a later packet, RFC 2198
    std::uint32_t generation = 0;  // counts resets
    double arrival_ms = 0.0;
};

// Indices between two threads: one pushes, one pops, neither waits.
template <std::size_t Capacity>
class IndexQueue {
    static_assert((Capacity & (Capacity - 1)) == 0);

  public:
    bool push(std::uint16_t index) noexcept {
        const std::size_t at = written_.load(std::memory_order_relaxed);
        if (at - read_.load(std::memory_order_acquire) == Capacity) return false;
        indices_[at % Capacity] = index;
        written_.store(at + 1, std::memory_order_release);
        return true;
    }

    std::optional<std::uint16_t> pop() noexcept {
        const std::size_t at = read_.load(std::memory_order_relaxed);
        if (at == written_.load(std::memory_order_acquire)) return std::nullopt;
        const std::uint16_t index = indices_[at % Capacity];
        read_.store(at + 1, std::memory_order_release);
        return index;
    }

  private:
    std::array<std::uint16_t, Capacity> indices_{};
    alignas(64) std::atomic<std::size_t> written_{0};
    alignas(64) std::atomic<std::size_t> read_{0};
};

// Contract: one thread stores packets, another takes them, reads them for as long as it likes and in any order, and
// releases them. Nothing allocates after the construction, and nothing waits.
class PacketSlots {
  public:
    static constexpr std::size_t small_bytes = 336, large_bytes = 1500;  // a voice codec's packet; a whole datagram
    static constexpr std::size_t small_slots = 160, large_slots = 48;
    static constexpr std::size_t slots = small_slots + large_slots;

    PacketSlots();

    // The storing thread's. False where the payload is too long or no slot is free.
    bool store(const PacketHeader& header, std::span<const std::uint8_t> payload) noexcept;

    // The taking thread's, as are all below: the next slot in the order they were stored in.
    std::optional<std::uint16_t> take() noexcept { return stored_.pop(); }
    const PacketHeader& header(std::uint16_t slot) const noexcept { return headers_[slot]; }
    std::span<const std::uint8_t> payload(std::uint16_t slot) const noexcept {
        return {bytes_.data() + begin(slot), sizes_[slot]};
    }
    void release(std::uint16_t slot) noexcept { slot < small_slots ? free_small_.push(slot) : free_large_.push(slot); }

  private:
    static std::size_t begin(std::uint16_t slot) noexcept {
        return slot < small_slots ? slot * small_bytes : small_slots * small_bytes + (slot - small_slots) * large_bytes;
    }

    std::vector<std::uint8_t> bytes_;
    std::vector<PacketHeader> headers_;
    std::array<std::uint16_t, slots> sizes_{};
    IndexQueue<256> stored_, free_small_;
    IndexQueue<64> free_large_;
};

}  // namespace spike
