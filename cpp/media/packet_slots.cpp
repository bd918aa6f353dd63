#include "media/packet_slots.hpp"

#include <algorithm>

namespace spike {

PacketSlots::PacketSlots() : bytes_(small_slots * small_bytes + large_slots * large_bytes), headers_(slots) {
    for (std::size_t slot = 0; slot < slots; ++slot) release(static_cast<std::uint16_t>(slot));
}

bool PacketSlots::store(const PacketHeader& header, std::span<const std::uint8_t> payload) noexcept {
    if (payload.size() > large_bytes) return false;
    auto slot = payload.size() <= small_bytes ? free_small_.pop() : std::nullopt;
    if (!slot) slot = free_large_.pop();
    if (!slot) return false;
    headers_[*slot] = header;
    sizes_[*slot] = static_cast<std::uint16_t>(payload.size());
    std::ranges::copy(payload, bytes_.begin() + static_cast<std::ptrdiff_t>(begin(*slot)));
    return stored_.push(*slot);  // always true: there are no more slots than it has room for
}

}  // namespace spike
