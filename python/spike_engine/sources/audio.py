"""Files, arrays, iterators and aiortc tracks in the place of microphones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine import frames
from spike_engine.devices.opening import in_thread
from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter
from spike_engine.errors import InvalidOption
from spike_engine.sources.stream import Iterated, OpenFile, frames_of, once, open_file

Samples = NDArray[np.float32]


class AudioStream(Iterated):
    """Blocks of mono samples of any length as an :class:`~spike_engine.AudioSource`; silence when they end.

    Args:
        blocks: Gives the blocks, shape ``(n,)`` or ``(n, 1)``, float in [-1, 1], int16 or int32, as fast as it likes:
            they are read at their own pace.
        sample_rate_hz: Of the samples.
    """

    def __init__(
        self, blocks: AsyncIterator[NDArray[Any]], sample_rate_hz: int = ENGINE_RATE_HZ, *, track: Any = None
    ) -> None:
        super().__init__(blocks, track)
        self.sample_rate_hz = sample_rate_hz
        self._waiting = np.zeros(0, np.float32)
        self._ended = False

    async def read(self, samples: int) -> Samples:
        """See :meth:`AudioSource.read`."""
        while len(self._waiting) < samples and not self._ended:
            try:
                block = mono_float32(await anext(self._things))
            except StopAsyncIteration:
                self._ended = True
            else:
                self._waiting = np.concatenate([self._waiting, block])
                if not len(block):
                    await asyncio.sleep(0)  # who gives nothing again and again may not hold up everybody else
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
        samples: Shape ``(n,)`` or ``(n, 1)``, float in [-1, 1], int16 or int32.
        sample_rate_hz: Of the samples.
    """

    def __init__(self, samples: NDArray[Any], sample_rate_hz: int = ENGINE_RATE_HZ) -> None:
        super().__init__(once(mono_float32(samples)), sample_rate_hz)


class AudioFile(AudioStream):
    """The sound of a file of any format that ffmpeg reads, then silence.

    Raises:
        DeviceNotFound: When it is started: there is no such file, or no sound in it that can be decoded.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        super().__init__(self._decoded())

    async def start(self) -> None:
        """See :meth:`AudioSource.start`."""
        await asyncio.to_thread(open_file, self._path, "audio", closes=True)

    async def _decoded(self) -> AsyncIterator[NDArray[Any]]:
        file = await in_thread(OpenFile, self._path, "audio", called=str(self._path))
        to_engine = RateConverter()

        def some() -> Samples | None:
            """About half a second: each visit to a thread costs more than decoding a frame."""
            blocks: list[Samples] = []
            while sum(map(len, blocks)) < ENGINE_RATE_HZ // 2:
                frame = file.next_frame()
                if frame is None:
                    blocks.append(to_engine.flush())
                    break
                blocks.append(to_engine(_mono(frame), frame.sample_rate))
            samples = np.concatenate(blocks)
            return samples if len(samples) else None

        try:
            while (samples := await asyncio.to_thread(some)) is not None:
                yield samples
        finally:
            await asyncio.to_thread(file.close)


class AudioTrack(AudioStream):
    """The sound of any aiortc track. Its own pace is kept; when it ends, silence follows."""

    def __init__(self, track: Any) -> None:
        super().__init__(self._received(track), track=track)

    async def _received(self, track: Any) -> AsyncIterator[NDArray[Any]]:
        to_engine = RateConverter()
        async for frame in frames_of(track):
            yield to_engine(_mono(frame), frame.sample_rate)


def mono_float32(samples: Any) -> Samples:
    """`samples` as mono float32 in [-1, 1], a copy.

    Raises:
        InvalidOption: They are no array of shape ``(n,)`` or ``(n, 1)``, or neither float, int16 nor int32.
    """
    accepted = "sound is mono: an array of float, int16 or int32, of shape (n,) or (n, 1)"
    if not isinstance(samples, np.ndarray):
        raise InvalidOption(f"{accepted}, not {type(samples).__name__}")
    is_mono = samples.ndim == 1 or (samples.ndim == 2 and samples.shape[1] == 1)
    if not is_mono or samples.dtype.kind not in "fi" or samples.dtype in (np.int8, np.int64):
        raise InvalidOption(f"{accepted}, not {samples.dtype} {samples.shape}")
    full_scale = 1.0 if samples.dtype.kind == "f" else -float(np.iinfo(samples.dtype).min)
    return (samples.reshape(-1) / full_scale).astype(np.float32)


def _mono(frame: Any) -> Samples:
    """The samples of any ``av.AudioFrame`` as mono float32 in [-1, 1]."""
    try:
        return frames.audio_to_ndarray(frame, dtype="float32", channels=1)  # type: ignore[no-any-return]
    except (TypeError, ValueError):  # files hold more formats, and more channels, than calls
        samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype.kind == "f":
        samples = samples.astype(np.float64)
    else:
        middle = 0.0 if samples.dtype.kind == "i" else 128.0  # unsigned samples are those of 8 bits
        samples = (samples - middle) / 2.0 ** (8 * samples.dtype.itemsize - 1)
    return samples.mean(axis=0).astype(np.float32)  # type: ignore[no-any-return]
