// Packets that wait for their turn, in the order of what they hold.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "media/packet_slots.hpp"

namespace spike {

struct WaitingPacket {
    std::int64_t begin = 0, end = 0;  // of its sound, in samples of the receiver's timeline
    std::int64_t sequence_number = 0;
    std::uint16_t slot = 0;
    bool redundant = false;
};

class PacketBuffer {
  public:
    bool empty() const noexcept { return count_ == 0; }
    const WaitingPacket& front() const noexcept { return packets_[0]; }
    const WaitingPacket& back() const noexcept { return packets_[count_ - 1]; }

    // Returns the packet that has lost its place: one with the same sound where that was there, for a repetition gives
    // way to the packet itself, and the packet itself gives way to none.
    std::optional<WaitingPacket> insert(const WaitingPacket& packet) noexcept {
        std::size_t at = count_;
        while (at > 0 && packets_[at - 1].begin > packet.begin) --at;
        if (at > 0 && packets_[at - 1].begin == packet.begin) {
            WaitingPacket& there = packets_[at - 1];
            if (!there.redundant || packet.redundant) return packet;
            return std::exchange(there, packet);
        }
        std::move_backward(packets_.begin() + at, packets_.begin() + count_, packets_.begin() + count_ + 1);
        packets_[at] = packet;
        ++count_;
        return std::nullopt;
    }

    WaitingPacket pop() noexcept {
        const WaitingPacket first = packets_[0];
        std::move(packets_.begin() + 1, packets_.begin() + count_, packets_.begin());
        --count_;
        return first;
    }

  private:
    std::array<WaitingPacket, PacketSlots::slots + 1> packets_{};  // no more are waiting than there are slots
    std::size_t count_ = 0;
};

}  // namespace spike
