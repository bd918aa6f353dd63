"""What a caller says."""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray

from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.rig.voices import Sound


class Microphone:
    """An :class:`~spike_engine.AudioSource` that is silent until somebody speaks, at the pace of the clock."""

    sample_rate_hz = ENGINE_RATE_HZ

    def __init__(self) -> None:
        self._unsaid: NDArray[np.float32] = np.zeros(0, np.float32)
        self._said = asyncio.Event()
        self._due: float | None = None

    async def start(self) -> None:
        """See :meth:`AudioSource.start`."""

    async def read(self, samples: int) -> NDArray[np.float32]:
        """See :meth:`AudioSource.read`."""
        now = asyncio.get_running_loop().time()
        self._due = max(self._due or now, now - 0.5) + samples / ENGINE_RATE_HZ
        await asyncio.sleep(max(0.0, self._due - now))
        block, self._unsaid = self._unsaid[:samples], self._unsaid[samples:]
        if not len(self._unsaid):
            self._said.set()
        return block if len(block) == samples else np.pad(block, (0, samples - len(block)))

    async def close(self) -> None:
        """See :meth:`AudioSource.close`."""

    async def say(self, voice: Sound) -> tuple[float, float]:
        """Say `voice`; when that began and ended, in the loop's seconds."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._said.clear()
        self._unsaid = voice
        await self._said.wait()
        return began, max(loop.time(), began + len(voice) / ENGINE_RATE_HZ)
