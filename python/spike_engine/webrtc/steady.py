"""Measures of aiortc's that hold whatever clocks and senders do."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import aioice.turn
import aiortc.clock
from aiortc import mediastreams, rtcrtpreceiver, rtcrtpsender, rtcsctptransport

MOST_JITTER = (1 << 32) - 1  # RFC 3550 section 6.4.1: 32 bits

_MEASURING = (aioice.turn, mediastreams, rtcrtpreceiver, rtcrtpsender, rtcsctptransport)
_STEADY = SimpleNamespace(time=time.monotonic)


def measure_steadily() -> None:
    """Have aiortc measure intervals by a clock that nobody can set.

    By the wall clock, one that is corrected in a call breaks its round trips, its waits for lost messages, and its
    reports. Done once for the process, and to connections that were not improved, too.
    """
    for module in _MEASURING:
        if getattr(module, "time", None) is time:
            module.time = _STEADY  # type: ignore[attr-defined]
    aiortc.clock.current_ms = lambda: int(1000 * time.monotonic())


def bound_reports(receiver: Any) -> None:
    """Keep the jitter that `receiver` reports within its field.

    A sender whose timestamps jump makes it as large as it likes; aiortc's reports would end with an exception, and
    closing would wait for them.
    """
    send = receiver._send_rtcp

    async def send_rtcp(packet: Any) -> None:
        for report in getattr(packet, "reports", ()):
            report.jitter = min(report.jitter, MOST_JITTER)
        await send(packet)

    receiver._send_rtcp = send_rtcp
