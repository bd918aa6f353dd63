"""What a caller hears: when the AI begins to speak, and when it has fallen silent."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spike_engine.dsp.rates import ENGINE_RATE_HZ

LOUD = 0.01  # root mean square of a block that holds a voice, -40 dBFS
SILENCE_S = 0.2  # so much of it between two sounds makes them two


class Ear:
    """Takes the AI's voice block by block; times are those of the event loop, in seconds."""

    def __init__(self) -> None:
        self._began: list[float] = []
        self._ended: list[float] = []  # of every sound but the last
        self._heard_at = -math.inf  # the end of the last loud block
        self._loud = asyncio.Event()

    def hear(self, samples: NDArray[np.float32]) -> None:
        """Take a block that is played now."""
        if len(samples) and math.sqrt(float(np.dot(samples, samples)) / len(samples)) > LOUD:
            now = asyncio.get_running_loop().time()
            if now - self._heard_at > SILENCE_S:
                self._ended.append(self._heard_at)
                self._began.append(now)
            self._heard_at = now + len(samples) / ENGINE_RATE_HZ
            self._loud.set()

    def is_silent_for(self, seconds: float) -> bool:
        """Whether nothing was heard for so long."""
        return asyncio.get_running_loop().time() - self._heard_at > seconds

    @property
    def hears(self) -> bool:
        """Whether the AI speaks."""
        return not self.is_silent_for(SILENCE_S)

    async def beginning_after(self, time_s: float, timeout_s: float) -> float | None:
        """When the AI first begins to speak after `time_s`; None where it does not within `timeout_s` from now."""
        return await self._until(lambda: next((at for at in self._began if at >= time_s), None), timeout_s)

    async def end_after(self, time_s: float, timeout_s: float) -> float | None:
        """When the AI fell silent after `time_s`; None where it has not `timeout_s` from now."""
        give_up_at = asyncio.get_running_loop().time() + timeout_s
        while (end := next((at for at in self._ended if at >= time_s), None)) is None and self.hears:
            if asyncio.get_running_loop().time() > give_up_at:
                return None
            await asyncio.sleep(SILENCE_S / 4)  # silence makes no event
        return max(self._heard_at if end is None else end, time_s)

    async def _until(self, found: Callable[[], float | None], timeout_s: float) -> float | None:
        try:
            async with asyncio.timeout(timeout_s):
                while (at := found()) is None:
                    self._loud.clear()
                    await self._loud.wait()
                return at
        except TimeoutError:
            return None
