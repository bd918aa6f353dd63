"""How many more conversations an event loop can carry, by how late it runs and how busy its thread is."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

TICK_S = 0.1
WINDOW_TICKS = 50  # five seconds
LATE_MS = 60.0  # a loop so late has let three packets of 20 ms wait: words begin to come late
BUSY_SHARE = 0.8  # of its core; above it, the wait for a turn grows quickly
TELLING_SHARE = 0.2  # below it, what a conversation costs is lost in what the loop does besides


@dataclass(frozen=True, slots=True)
class Load:
    """What an event loop carried in the last five seconds.

    Attributes:
        lag_ms: Nine of ten of its turns were no later than this.
        busy: Share of a core that its thread used, 0 to 1.
        connected: How many conversations have a client now.
        away: How many had a client, who may come back, and cost nothing meanwhile.
        capacity: How many it can carry, as far as that can be told; None where it has too little to do to tell.
    """

    lag_ms: float = 0.0
    busy: float = 0.0
    connected: int = 0
    away: int = 0
    capacity: int | None = None

    @property
    def late(self) -> bool:
        """Whether one more client would make the others wait; a loop without any is late by the doing of others."""
        return self.lag_ms > LATE_MS and self.connected > 0


class LoadMeter:
    """Measures the event loop that `run` runs on.

    Args:
        connected: Tells how many conversations have a client.
    """

    def __init__(self, connected: Callable[[], int]) -> None:
        self._connected = connected
        self._ticks: deque[tuple[float, float, float, int]] = deque(maxlen=WINDOW_TICKS)

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            began_s, cpu_s = time.monotonic(), time.thread_time()
            await asyncio.sleep(TICK_S)
            took_s = time.monotonic() - began_s
            self.note(took_s, time.thread_time() - cpu_s)

    def note(self, took_s: float, cpu_s: float) -> None:
        """One turn of :data:`TICK_S` took `took_s`, and the thread used `cpu_s` meanwhile."""
        self._ticks.append((took_s - TICK_S, cpu_s, took_s, self._connected()))

    def load(self) -> Load:
        """What was measured."""
        connected = self._connected()
        if not self._ticks:
            return Load(connected=connected)
        lags, cpu_s, took_s, counts = zip(*self._ticks, strict=True)
        lag_ms = 1000 * max(0.0, sorted(lags)[int(0.9 * (len(lags) - 1))])
        busy, mean = sum(cpu_s) / sum(took_s), sum(counts) / len(counts)
        capacity = None
        if lag_ms > LATE_MS and connected:
            capacity = connected
        elif busy > TELLING_SHARE and mean >= 1 and len(lags) == WINDOW_TICKS:
            capacity = int(mean * BUSY_SHARE / busy)
        return Load(lag_ms, busy, connected, capacity=capacity)
