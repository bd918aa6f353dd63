"""Files, arrays, generators and aiortc tracks in the place of microphones and cameras."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp, frames
from spike_engine.devices import AudioSource, Microphone, VideoSource
from spike_engine.errors import DeviceNotFound, InvalidOption
from spike_engine.portaudio import SAMPLE_RATE_HZ

Samples = NDArray[np.float32]


class Pace:
    """Waits until it is time for what comes next, as a device would make its reader wait."""

    def __init__(self) -> None:
        self._next_at: float | None = None

    async def wait(self, seconds: float) -> None:
        """Return when `seconds` more have passed since the return before; late, it catches up."""
        now = asyncio.get_running_loop().time()
        due = self._next_at = (now if self._next_at is None else self._next_at) + seconds
        await asyncio.sleep(max(0.0, due - now))


class _Iterated:
    """What streams of sound and of pictures share: an iterator, and the track that it may come from."""

    def __init__(self, things: AsyncIterator[Any], track: Any = None) -> None:
        self._things = things
        self._track = track
        self._pace = Pace()

    async def start(self) -> None:
        """See :meth:`AudioSource.start`."""

    async def close(self) -> None:
        """See :meth:`AudioSource.close`; a generator is closed and a track stopped with it."""
        if self._track:
            self._track.stop()
        if aclose := getattr(self._things, "aclose", None):
            with contextlib.suppress(RuntimeError):  # it is running: whoever runs it, ends it
                await aclose()


class AudioStream(_Iterated):
    """Blocks of mono samples of any length as an :class:`~spike_engine.AudioSource`; silence when they end.

    Args:
        blocks: Gives the blocks, float32 in [-1, 1] or int16, as fast as it likes: they are read at their own pace.
        sample_rate_hz: Of the samples.
    """

    def __init__(
        self, blocks: AsyncIterator[NDArray[Any]], sample_rate_hz: int = SAMPLE_RATE_HZ, *, track: Any = None
    ) -> None:
        super().__init__(blocks, track)
        self.sample_rate_hz = sample_rate_hz
        self._waiting = np.zeros(0, np.float32)
        self._ended = False

    async def read(self, samples: int) -> Samples:
        """See :meth:`AudioSource.read`."""
        while len(self._waiting) < samples and not self._ended:
            try:
                block = await anext(self._things)
            except StopAsyncIteration:
                self._ended = True
            else:
                self._waiting = np.concatenate([self._waiting, mono_float32(block)])
        await self._pace.wait(samples / self.sample_rate_hz)
        block, self._waiting = self._waiting[:samples], self._waiting[samples:]
        return np.pad(block, (0, samples - len(block)))

    async def close(self) -> None:
        """See :meth:`AudioSource.close`; a generator is closed too."""
        self._ended = True
        await super().close()


class AudioArray(AudioStream):
    """Samples that are there already, then silence.

    Args:
        samples: Shape ``(n,)``, float32 in [-1, 1] or int16.
        sample_rate_hz: Of the samples.
    """

    def __init__(self, samples: NDArray[Any], sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
        super().__init__(_once(mono_float32(samples)), sample_rate_hz)


class AudioFile(AudioStream):
    """The sound of a file of any format that ffmpeg reads, then silence.

    Raises:
        DeviceNotFound: When it is started: there is no such file, or no sound in it.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        super().__init__(self._decoded())

    async def start(self) -> None:
        """See :meth:`AudioSource.start`."""
        await asyncio.to_thread(_open_file, self._path, "audio", closes=True)

    async def _decoded(self) -> AsyncIterator[NDArray[Any]]:
        container = await asyncio.to_thread(_open_file, self._path, "audio")
        try:
            resampler: dsp.Resampler | None = None
            for frame in container.decode(audio=0):
                samples = frames.audio_to_ndarray(frame, dtype="float32", channels=1)
                if frame.sample_rate != SAMPLE_RATE_HZ:
                    resampler = resampler or dsp.Resampler(frame.sample_rate, SAMPLE_RATE_HZ)
                    samples = resampler.process(samples)
                yield samples
        finally:
            container.close()


class AudioTrack(AudioStream):
    """The sound of any aiortc track. Its own pace is kept; when it ends, silence follows."""

    def __init__(self, track: Any) -> None:
        super().__init__(self._received(track), track=track)

    async def _received(self, track: Any) -> AsyncIterator[NDArray[Any]]:
        resamplers: dict[int, dsp.Resampler] = {}
        async for frame in frames_of(track):
            samples = frames.audio_to_ndarray(frame, dtype="float32", channels=1)
            if frame.sample_rate != SAMPLE_RATE_HZ:
                resampler = resamplers.setdefault(frame.sample_rate, dsp.Resampler(frame.sample_rate, SAMPLE_RATE_HZ))
                samples = resampler.process(samples)
            yield samples


class VideoStream(_Iterated):
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
        container = await asyncio.to_thread(_open_file, self._path, "video")
        rate = container.streams.video[0].average_rate
        container.close()
        self._interval_s = 1 / float(rate or 25)

    async def _decoded(self) -> AsyncIterator[NDArray[np.uint8]]:
        container = await asyncio.to_thread(_open_file, self._path, "video")
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


def audio_source_of(value: Any) -> AudioSource:
    """A microphone by its id; a file by its :class:`~pathlib.Path`; an array or async iterator at 48 kHz; a track.

    Raises:
        InvalidOption: It is nothing of these, and no :class:`~spike_engine.AudioSource`.
    """
    if isinstance(value, str):
        return Microphone(value)
    return _source_of(value, "read", AudioFile, AudioArray, AudioTrack, AudioStream)  # type: ignore[no-any-return]


def video_source_of(value: Any) -> VideoSource:
    """A file by its :class:`~pathlib.Path`, an array (one picture, or ``(n, height, width, 3)``), an iterator, a track.

    Raises:
        InvalidOption: It is nothing of these, and no :class:`~spike_engine.VideoSource`.
    """
    return _source_of(value, "read", VideoFile, _still_or_film, VideoTrack, VideoStream)  # type: ignore[no-any-return]


def _source_of(
    value: Any,
    method: str,
    of_file: Callable[[Any], Any],
    of_array: Callable[[Any], Any],
    of_track: Callable[[Any], Any],
    of_iterator: Callable[[Any], Any],
) -> Any:
    if isinstance(value, Path):
        return of_file(value)
    if isinstance(value, np.ndarray):
        return of_array(value)
    for name, build in ((method, _itself), ("recv", of_track), ("__anext__", of_iterator)):
        if callable(getattr(value, name, None)):
            return build(value)
    raise InvalidOption(f"a source is a device id, a Path, an array, an async iterator or a track, not {value!r}")


def mono_float32(samples: NDArray[Any]) -> Samples:
    """`samples` as mono float32 in [-1, 1].

    Raises:
        InvalidOption: They are not one-dimensional, or neither float nor int16.
    """
    if samples.ndim != 1 or samples.dtype.kind not in "fi" or samples.dtype in (np.int64, np.int32, np.int8):
        raise InvalidOption(f"sound is mono, float or int16 of shape (n,), not {samples.dtype} {samples.shape}")
    return samples.astype(np.float32) / (32768.0 if samples.dtype == np.int16 else 1.0)


def _still_or_film(pictures: NDArray[Any]) -> VideoStream:
    if pictures.dtype != np.uint8 or pictures.ndim not in (3, 4) or pictures.shape[-1] != 3:
        raise InvalidOption(
            f"pictures are uint8 of shape ([n,] height, width, 3), not {pictures.dtype} {pictures.shape}"
        )
    return VideoStream(_once(*(pictures if pictures.ndim == 4 else pictures[None])), fps=25)


def _itself(value: Any) -> Any:
    return value


async def _once(*things: Any) -> AsyncIterator[Any]:
    for thing in things:
        yield thing


async def frames_of(track: Any) -> AsyncIterator[Any]:
    """What ``recv`` of an aiortc track gives, until the track ends; nothing where there is none."""
    while track and track.readyState == "live":
        try:
            yield await track.recv()
        except Exception as error:
            if type(error).__name__ == "MediaStreamError":  # aiortc's, which only the rooms of tracks import
                return
            raise


def _rgb(frame: Any) -> NDArray[np.uint8]:
    try:
        return frames.to_ndarray(frame, "rgb24")
    except ValueError:  # files hold more formats than cameras and codecs of calls
        return frame.to_ndarray(format="rgb24")  # type: ignore[no-any-return]


def _open_file(path: Path, kind: str, *, closes: bool = False) -> Any:
    import av  # noqa: PLC0415 (only a program that uses a file pays for it)

    try:
        container = av.open(str(path))
    except (OSError, ValueError) as error:
        raise DeviceNotFound(f"{path} cannot be read: {error}") from error
    if not getattr(container.streams, kind):
        container.close()
        raise DeviceNotFound(f"there is no {kind} in {path}")
    if closes:
        container.close()
    return container
