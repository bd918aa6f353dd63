"""A camera that needs no camera: a ball that bounces over a gradient."""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray


class GeneratedCamera:
    """A :class:`~spike_engine.VideoSource` of any size and rate."""

    def __init__(self, width: int = 320, height: int = 180, fps: int = 15) -> None:
        self._columns, self._rows = np.meshgrid(np.arange(width), np.arange(height))
        shade = (40 + 120 * self._columns / width + 60 * self._rows / height).astype(np.uint8)
        self._background = np.stack([shade // 3, shade // 2, shade], axis=-1)
        self._interval_s = 1 / fps
        self._size = np.array([width, height])
        self._count = 0
        self._next_at: float | None = None

    async def start(self) -> None:
        """Nothing to open."""

    async def read(self) -> NDArray[np.uint8]:
        """See :meth:`spike_engine.VideoSource.read`."""
        loop = asyncio.get_running_loop()
        self._next_at = (self._next_at or loop.time()) + self._interval_s
        await asyncio.sleep(max(0.0, self._next_at - loop.time()))
        self._count += 1
        path = np.abs((self._count * np.array([4.1, 2.7]) / self._size) % 2 - 1) * self._size
        ball = (self._columns - path[0]) ** 2 + (self._rows - path[1]) ** 2 < (self._size[1] / 8) ** 2
        picture = self._background.copy()
        picture[ball] = (240, 180, 60)
        return picture

    async def close(self) -> None:
        """Nothing to close."""
