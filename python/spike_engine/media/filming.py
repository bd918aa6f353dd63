"""Where pictures meet WebRTC on their way out: the camera as a track."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE, MediaStreamError, MediaStreamTrack
from numpy.typing import NDArray

from spike_engine import frames
from spike_engine.devices import VideoSource
from spike_engine.devices.stand_ins import BlackPictures
from spike_engine.errors import MediaError


class Filming:
    """Reads a camera for as long as it is open and scales its pictures to what the client sends. Disabled, it is black.

    It outlives connections: each has a :class:`CameraTrack` of its own.

    Attributes:
        size: Width and height of what is sent, pixels; may change at any time.
        fps: How many pictures a second are sent at most; may change at any time.
    """

    def __init__(
        self, source: VideoSource, *, width: int, height: int, fps: int, on_error: Callable[[MediaError], None]
    ) -> None:
        self.enabled = True
        self.size = width, height
        self.fps = float(fps)
        self.pictures = 0
        self._source = source
        self._on_error = on_error
        self._black = np.zeros((height, width, 3), np.uint8)
        self._next_at = 0.0

    def create_track(self) -> CameraTrack:
        """A new track that shows the camera."""
        return CameraTrack(self)

    async def read(self) -> NDArray[np.uint8]:
        """The next picture to send as RGB, as soon as it is due."""
        loop = asyncio.get_running_loop()
        while True:
            picture = await self._read_source()
            now, interval_s = loop.time(), 1 / self.fps
            if now >= self._next_at - interval_s / 4:  # a camera that is faster than what is sent gives some to skip
                break
        self._next_at = max(self._next_at, now - interval_s / 4) + interval_s
        self.pictures += 1
        return picture if self.enabled else self._black

    async def replace_source(self, source: VideoSource) -> None:
        """Show `source`, which has been started, from the next picture on and close the one before."""
        before, self._source = self._source, source
        await before.close()

    async def close(self) -> None:
        """Close the camera."""
        await self._source.close()

    async def _read_source(self) -> NDArray[np.uint8]:
        source = self._source
        try:
            return await source.read()
        except MediaError as error:
            if source is self._source:
                self._on_error(error)
                self._source = BlackPictures(self._black, self.fps)
                await source.close()
            return self._black


class CameraTrack(MediaStreamTrack):
    """A camera as an aiortc track, of the size and rate that its :class:`Filming` says."""

    kind = "video"

    def __init__(self, filming: Filming) -> None:
        super().__init__()
        self._filming = filming
        self._started_at: float | None = None

    async def recv(self) -> Any:
        """The next picture, an ``av.VideoFrame`` in yuv420p."""
        if self.readyState != "live":
            raise MediaStreamError
        picture = await self._filming.read()
        width, height = self._filming.size
        frame = frames.from_ndarray(picture, "rgb24", to="yuv420p", width=width, height=height)
        now = asyncio.get_running_loop().time()
        if self._started_at is None:
            self._started_at = now
        frame.pts, frame.time_base = round((now - self._started_at) * VIDEO_CLOCK_RATE), VIDEO_TIME_BASE
        return frame
