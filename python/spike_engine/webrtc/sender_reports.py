"""RTCP sender reports: what time it was at the sender when it sampled something (RFC 3550 section 6.4.1).

By them the sound and the picture of one moment find each other, whatever the network made of their delays.
"""

from __future__ import annotations

import time
from typing import Any

from aiortc import clock

MOST_OFF_S = 0.1  # a sender that is off by more has begun a new run of timestamps
DRIFT = 0.005  # how quickly what is captured may come to lag behind: seconds a second
_NTP_SECOND = 1 << 32


class SenderClock:
    """A sender's wallclock, as its reports tell it. One for each stream that is received."""

    def __init__(self) -> None:
        self._pairs: dict[int, tuple[float, int]] = {}

    def report(self, ssrc: int, ntp_timestamp: int, rtp_timestamp: int) -> None:
        """Take in a report. One without a time, which is sent before anything else is, says nothing."""
        if ntp_timestamp:
            self._pairs = {ssrc: (ntp_timestamp / _NTP_SECOND, rtp_timestamp)}

    def time_s(self, ssrc: int | None, timestamp: float, clock_rate_hz: int) -> float | None:
        """Seconds on the sender's clock at which `timestamp` was sampled; None before its first report."""
        if (pair := self._pairs.get(ssrc or 0)) is None:
            return None
        at_s, reported = pair
        return at_s + ((timestamp - reported + (1 << 31)) % (1 << 32) - (1 << 31)) / clock_rate_hz


class CaptureClock:
    """Tells when what a sender sends was sampled. One for each stream that is sent.

    aiortc reports when the last packet left. That is later than its sample by all that lay between, the encoder most of
    all, which takes longer for a picture than for sound. The quickest frames of the last seconds say how things are.
    """

    def __init__(self) -> None:
        self._timestamp: int | None = None
        self._offset_s = 0.0
        self._at_s = 0.0

    def sent(self, timestamp: int, clock_rate_hz: int) -> None:
        """A frame with this timestamp is about to leave."""
        now_s = time.monotonic()
        offset_s = now_s - timestamp / clock_rate_hz
        late_s = offset_s - self._offset_s
        if self._timestamp is None or late_s < 0 or late_s > MOST_OFF_S:
            self._offset_s = offset_s
        else:
            self._offset_s += min(late_s, DRIFT * (now_s - self._at_s))
        self._timestamp, self._at_s, self._clock_rate_hz = timestamp, now_s, clock_rate_hz

    def correct(self, report: Any) -> bool:
        """Have a report, aiortc's ``RtcpSrPacket``, tell the present time and its timestamp; False before any frame."""
        if self._timestamp is None or not report.sender_info.ntp_timestamp:
            return False
        info = report.sender_info
        ticks = (time.monotonic() - self._offset_s) * self._clock_rate_hz - self._timestamp
        info.ntp_timestamp = clock.current_ntp_time()
        info.rtp_timestamp = (info.rtp_timestamp + round(ticks)) % (1 << 32)
        return True
