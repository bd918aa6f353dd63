"""Redundant audio (RFC 2198): each packet also carries the frames before it."""

from __future__ import annotations

import struct
from collections import deque

MOST_OFFSET = (1 << 14) - 1  # of a timestamp, 341 ms at 48 kHz
MOST_BYTES = (1 << 10) - 1  # of a frame that is carried again


class RedPacker:
    """Puts frames into RED payloads, each behind as many of its predecessors as are asked for.

    Args:
        payload_type: Of the frames, all of one codec.
    """

    def __init__(self, payload_type: int) -> None:
        self._payload_type = payload_type
        self._before: deque[tuple[int, bytes]] = deque(maxlen=2)

    def pack(self, frame: bytes, timestamp: int, copies: int) -> bytes:
        """The payload for `frame`, with up to `copies` (0 to 2) of the frames before it."""
        carried = [
            (timestamp - at, earlier)
            for at, earlier in list(self._before)[len(self._before) - min(copies, len(self._before)) :]
            if 0 < timestamp - at <= MOST_OFFSET
        ]
        headers = b"".join(
            struct.pack("!I", 1 << 31 | self._payload_type << 24 | offset << 10 | len(earlier))
            for offset, earlier in carried
        )
        self.remember(frame, timestamp)
        return b"".join([headers, bytes([self._payload_type]), *(earlier for _, earlier in carried), frame])

    def remember(self, frame: bytes, timestamp: int) -> None:
        """`frame` was sent by itself; those that follow may carry it."""
        if len(frame) <= MOST_BYTES:
            self._before.append((timestamp, frame))
        else:
            self._before.clear()
