// RFC 2198: a packet that repeats earlier ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace spike {

// Calls `block(timestamp_offset, bytes)` for each block, oldest first, the primary one last and with offset 0. False,
// and no call, where the headers do not fit the payload.
template <typename Block>
bool split_redundancy(std::span<const std::uint8_t> payload, Block&& block) {
    constexpr std::size_t most_blocks = 16, header_bytes = 4;
    std::size_t blocks = 0, at = 0, total = 0;
    for (; at < payload.size() && (payload[at] & 0x80) != 0; at += header_bytes, ++blocks) {
        if (at + header_bytes > payload.size() || blocks == most_blocks) return false;
        total += (static_cast<std::size_t>(payload[at + 2] & 0x03) << 8) | payload[at + 3];
    }
    if (at >= payload.size() || at + 1 + total > payload.size()) return false;
    std::size_t data = at + 1;
    for (std::size_t n = 0; n < blocks; ++n) {
        const std::uint8_t* const header = payload.data() + n * header_bytes;
        const std::uint32_t offset = (static_cast<std::uint32_t>(header[1]) << 6) | (header[2] >> 2);
        const std::size_t length = (static_cast<std::size_t>(header[2] & 0x03) << 8) | header[3];
        block(offset, payload.subspan(data, length));
        data += length;
    }
    block(std::uint32_t{0}, payload.subspan(data));
    return true;
}

}  // namespace spike
