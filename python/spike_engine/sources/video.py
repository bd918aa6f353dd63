"""Files, arrays, iterators and aiortc tracks in the place of cameras."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine import frames
from spike_engine.errors import DeviceNotFound, InvalidOption
from spike_engine.sources.stream import Iterated, frames_of, once, open_file


class VideoStream(Iterated):
    """Pictures as a :class:`~spike_engine.VideoSource`; the last one stays when they end.

    Args:
        pictures: Gives RGB pictures, uint8 of shape ``(height, width, 3)``.
        fps: At which pace they are shown; None leaves it to the iterator.
    """

    def __init__(
        self, pictures: AsyncIterator[NDArray[np.uint8]], fps: float | None = None, *, track: Any = None
    ) -> None:
        super().__init__(pictures, track)
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
        container = await asyncio.to_thread(open_file, self._path, "video")
        pictures: Iterator[Any] = container.decode(video=0)
        try:
            while frame := await asyncio.to_thread(next, pictures, None):
                yield _rgb(frame)
        finally:
            container.close()


class VideoTrack(VideoStream):
    """The pictures of any aiortc track, at its own pace."""

    def __init__(self, track: Any) -> None:
        super().__init__(self._received(track), track=track)

    async def _received(self, track: Any) -> AsyncIterator[NDArray[np.uint8]]:
        async for frame in frames_of(track):
            yield _rgb(frame)


def still_or_film(pictures: NDArray[Any]) -> VideoStream:
    """One picture, or several one after the other, as a source."""
    if pictures.dtype != np.uint8 or pictures.ndim not in (3, 4) or pictures.shape[-1] != 3:
        raise InvalidOption(
            f"pictures are uint8 of shape ([n,] height, width, 3), not {pictures.dtype} {pictures.shape}"
        )
    return VideoStream(once(*(pictures if pictures.ndim == 4 else pictures[None])), fps=25)


def _rgb(frame: Any) -> NDArray[np.uint8]:
    try:
        return frames.to_ndarray(frame, "rgb24")
    except ValueError:  # files hold more formats than cameras and codecs of calls
        return frame.to_ndarray(format="rgb24")  # type: ignore[no-any-return]
