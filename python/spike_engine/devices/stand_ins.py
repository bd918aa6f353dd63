"""What takes the place of a device that is not there or has failed."""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray

from spike_engine.dsp.rates import ENGINE_RATE_HZ


class Silence:
    """A microphone that hears nothing and a loudspeaker that plays nowhere, paced by the clock.

    Stands in for a device that is not there, so that a conversation can go on without it.
    """

    sample_rate_hz = ENGINE_RATE_HZ

    def __init__(self) -> None:
        self._next_at: float | None = None

    async def start(self) -> None:
        """See :meth:`AudioSource.start`."""

    async def read(self, samples: int) -> NDArray[np.float32]:
        """See :meth:`AudioSource.read`."""
        now = asyncio.get_running_loop().time()
        due = self._next_at = (self._next_at or now) + samples / self.sample_rate_hz
        await asyncio.sleep(max(0.0, due - now))
        return np.zeros(samples, np.float32)

    def write(self, samples: NDArray[np.float32]) -> None:
        """See :meth:`AudioSink.write`."""

    def played(self, samples: int) -> NDArray[np.float32]:
        """See :meth:`AudioSink.played`."""
        return np.zeros(samples, np.float32)

    def flush(self) -> None:
        """See :meth:`AudioSink.flush`."""

    async def close(self) -> None:
        """See :meth:`AudioSource.close`."""


class BlackPictures:
    """What a camera that failed sends instead."""

    def __init__(self, picture: NDArray[np.uint8], fps: float) -> None:
        self._picture = picture
        self._interval_s = 1 / fps

    async def start(self) -> None:
        """See :meth:`VideoSource.start`."""

    async def read(self) -> NDArray[np.uint8]:
        """See :meth:`VideoSource.read`."""
        await asyncio.sleep(self._interval_s)
        return self._picture

    async def close(self) -> None:
        """See :meth:`VideoSource.close`."""
