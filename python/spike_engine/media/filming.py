"""Where pictures meet WebRTC on their way out: the camera as a track."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE

from spike_engine import frames
from spike_engine.devices import VideoSource
from spike_engine.devices.stand_ins import BlackPictures
from spike_engine.media.listener import MediaListener
from spike_engine.media.reading import Reading
from spike_engine.webrtc.fed_track import FedTrack


class Filming(Reading[VideoSource, "CameraTrack"]):
    """Reads a camera for as long as it is open and hands its pictures to its tracks as they are due.

    It outlives connections: each has a :class:`CameraTrack` of its own.

    Args:
        listener: Says whether the camera is on; off, black pictures are sent.
        width, height: Of what is sent, pixels.
        fps: How many pictures a second are sent at most.

    Attributes:
        size: Width and height; may change at any time.
        fps: May change at any time.
        pictures: How many were given to the tracks.
    """

    def __init__(self, listener: MediaListener, *, width: int, height: int, fps: int) -> None:
        super().__init__(listener)
        self.size = width, height
        self.fps = float(fps)
        self.pictures = 0
        self._black = np.zeros((height, width, 3), np.uint8)
        self._next_at = 0.0

    async def _take(self, source: VideoSource) -> None:
        picture = await source.read()
        now, interval_s = asyncio.get_running_loop().time(), 1 / self.fps
        if now < self._next_at - interval_s / 4:
            return  # a camera that is faster than what is sent gives some to skip
        self._next_at = max(self._next_at, now - interval_s / 4) + interval_s
        self.pictures += 1
        shown = picture if self._listener.is_enabled("video") else self._black
        width, height = self.size
        self._push(frames.from_ndarray(shown, "rgb24", to="yuv420p", width=width, height=height))

    def stand_in(self) -> VideoSource:
        """Black pictures."""
        return BlackPictures(self._black, self.fps)

    def _new_track(self) -> CameraTrack:
        return CameraTrack()


class CameraTrack(FedTrack):
    """A camera as an aiortc track, of the size and rate that its :class:`Filming` says: always the newest picture."""

    def __init__(self) -> None:
        super().__init__("video", 1)
        self._started_at: float | None = None

    def prepare(self, item: Any) -> Any:
        """The picture, an ``av.VideoFrame`` in yuv420p, at the time that it is sent."""
        now = asyncio.get_running_loop().time()
        if self._started_at is None:
            self._started_at = now
        item.pts, item.time_base = round((now - self._started_at) * VIDEO_CLOCK_RATE), VIDEO_TIME_BASE
        return item
