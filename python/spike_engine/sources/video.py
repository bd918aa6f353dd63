"""Files, arrays, iterators and aiortc tracks in the place of cameras."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine.devices.opening import in_thread
from spike_engine.devices.pictures import rgb_of
from spike_engine.errors import DeviceNotFound, InvalidOption
from spike_engine.sources.stream import Iterated, OpenFile, frames_of, once, open_file


class VideoStream(Iterated):
    """Pictures as a :class:`~spike_engine.VideoSource`; the last one stays when they end.

    Args:
        pictures: Gives RGB pictures, uint8 of shape ``(height, width, 3)``.
        fps: At which pace they are shown; None leaves it to the iterator.

    Raises:
        InvalidOption: `fps` is no number above 0.
    """

    def __init__(
        self, pictures: AsyncIterator[NDArray[np.uint8]], fps: float | None = None, *, track: Any = None
    ) -> None:
        super().__init__(pictures, track)
        if fps is not None and not (isinstance(fps, Real) and fps > 0):
            raise InvalidOption(f"fps must be a number above 0, or None, not {fps!r}")
        self._interval_s = 1 / fps if fps else 0.0
        self._last: NDArray[np.uint8] | None = None

    async def read(self) -> NDArray[np.uint8]:
        """See :meth:`VideoSource.read`."""
        try:
            picture: NDArray[np.uint8] = await anext(self._things)
        except StopAsyncIteration:
            if self._last is None:
                raise DeviceNotFound("there is not one picture to send") from None
            await asyncio.sleep(self._interval_s or 0.1)
            return self._last
        self._last = picture
        await self._pace.wait(self._interval_s)
        return picture


class VideoFile(VideoStream):
    """The pictures of a file of any format that ffmpeg reads, at their own rate.

    Raises:
        DeviceNotFound: When it is started: there is no such file, or no picture in it.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        super().__init__(self._decoded())

    async def start(self) -> None:
        """See :meth:`VideoSource.start`."""
        container = await asyncio.to_thread(open_file, self._path, "video")
        rate = container.streams.video[0].average_rate
        container.close()
        self._interval_s = 1 / float(rate or 25)

    async def _decoded(self) -> AsyncIterator[NDArray[np.uint8]]:
        file = await in_thread(OpenFile, self._path, "video", called=str(self._path))
        try:
            while frame := await asyncio.to_thread(file.next_frame):
                yield rgb_of(frame)
        finally:
            await asyncio.to_thread(file.close)


class VideoTrack(VideoStream):
    """The pictures of any aiortc track, at its own pace."""

    def __init__(self, track: Any) -> None:
        super().__init__(self._received(track), track=track)

    async def _received(self, track: Any) -> AsyncIterator[NDArray[np.uint8]]:
        async for frame in frames_of(track):
            yield rgb_of(frame)


def still_or_film(pictures: NDArray[Any]) -> VideoStream:
    """One picture, or several one after the other, as a source."""
    if pictures.ndim == 4 and len(pictures):
        return VideoStream(once(*map(check_picture, pictures)), fps=25)
    return VideoStream(once(check_picture(pictures)), fps=25)


def check_picture(picture: Any) -> NDArray[np.uint8]:
    """`picture`, if it is one.

    Raises:
        InvalidOption: It is no uint8 array of shape ``(height, width, 3)``.
    """
    accepted = "a picture is RGB, an array of uint8 of shape (height, width, 3)"
    if not isinstance(picture, np.ndarray):
        raise InvalidOption(f"{accepted}, not {type(picture).__name__}")
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise InvalidOption(f"{accepted}, not {picture.dtype} {picture.shape}")
    return picture
