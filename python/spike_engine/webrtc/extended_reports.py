"""RTCP extended reports: how long a receiver keeps a voice before it plays it (RFC 3611 section 4.7).

The sender cannot know that by itself, and it is a good part of the way from mouth to ear.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

_PACKET_TYPE, _VOIP_METRICS = 207, 7
_HEADER = struct.Struct("!BBHL")
_BLOCK = struct.Struct("!BBHL4BHHHHbbBBBBBBBBHHH")
_BLOCK_WORDS = _BLOCK.size // 4 - 1  # without its own first word
_UNKNOWN = 127
_GAP_PACKETS = 16
_ENHANCED_CONCEALMENT, _ADAPTIVE_BUFFER = 2 << 6, 3 << 4
_NOMINAL_AT = 30  # bytes into a block
_MOST_MS = 0xFFFF


class WithDelay:
    """A receiver's report followed by an extended one, of which everything but the delay is unknown.

    Args:
        report: aiortc's ``RtcpRrPacket``.
        ssrc: Whose voice it is.
        delay_ms: How long a packet of it that is not held up on its way waits before it is played.

    Attributes:
        reports: Those of `report`.
    """

    def __init__(self, report: Any, ssrc: int, delay_ms: float) -> None:
        self.reports = report.reports
        self._report, self._ssrc = report, ssrc
        self._delay_ms = min(round(delay_ms), _MOST_MS)

    def __bytes__(self) -> bytes:
        header = _HEADER.pack(0x80, _PACKET_TYPE, (_HEADER.size + _BLOCK.size) // 4 - 1, self._report.ssrc)
        block = _BLOCK.pack(
            *(_VOIP_METRICS, 0, _BLOCK_WORDS, self._ssrc),
            *(0, 0, 0, 0, 0, 0, 0, 0),  # loss and bursts, round trip, end system
            *(_UNKNOWN, _UNKNOWN, _UNKNOWN, _GAP_PACKETS, _UNKNOWN, _UNKNOWN, _UNKNOWN, _UNKNOWN),
            *(_ENHANCED_CONCEALMENT | _ADAPTIVE_BUFFER, 0, self._delay_ms, self._delay_ms, self._delay_ms),
        )
        return bytes(self._report) + header + block


def delays_in(data: bytes) -> Iterator[tuple[int, float]]:
    """Of each voice in a compound packet of RTCP that somebody receives: its source, and how long it is kept, in ms.

    What is no such packet, or is cut off, gives nothing.
    """
    at = 0
    while at + _HEADER.size <= len(data):
        _, packet_type, words, _ = _HEADER.unpack_from(data, at)
        end = at + 4 * (words + 1)
        if packet_type == _PACKET_TYPE and end <= len(data):
            yield from _delays_of(data[at + _HEADER.size : end])
        at = end


def _delays_of(blocks: bytes) -> Iterator[tuple[int, float]]:
    at = 0
    while at + 4 <= len(blocks):
        block_type, _, words = struct.unpack_from("!BBH", blocks, at)
        end = at + 4 * (words + 1)
        if block_type == _VOIP_METRICS and words == _BLOCK_WORDS and end <= len(blocks):
            (ssrc,) = struct.unpack_from("!L", blocks, at + 4)
            (nominal_ms,) = struct.unpack_from("!H", blocks, at + _NOMINAL_AT)
            yield ssrc, float(nominal_ms)
        at = end
