"""Files, arrays, iterators and aiortc tracks in the place of microphones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine import frames
from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter
from spike_engine.errors import InvalidOption
from spike_engine.sources.stream import Iterated, frames_of, once, open_file

Samples = NDArray[np.float32]


class AudioStream(Iterated):
    """Blocks of mono samples of any length as an :class:`~spike_engine.AudioSource`; silence when they end.

    Args:
        blocks: Gives the blocks, float32 in [-1, 1] or int16, as fast as it likes: they are read at their own pace.
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

    def __init__(self, samples: NDArray[Any], sample_rate_hz: int = ENGINE_RATE_HZ) -> None:
        super().__init__(once(mono_float32(samples)), sample_rate_hz)


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
        await asyncio.to_thread(open_file, self._path, "audio", closes=True)

    async def _decoded(self) -> AsyncIterator[NDArray[Any]]:
        container = await asyncio.to_thread(open_file, self._path, "audio")
        try:
            to_engine = RateConverter()
            for frame in container.decode(audio=0):
                samples = frames.audio_to_ndarray(frame, dtype="float32", channels=1)
                yield to_engine(samples, frame.sample_rate)
        finally:
            container.close()


class AudioTrack(AudioStream):
    """The sound of any aiortc track. Its own pace is kept; when it ends, silence follows."""

    def __init__(self, track: Any) -> None:
        super().__init__(self._received(track), track=track)

    async def _received(self, track: Any) -> AsyncIterator[NDArray[Any]]:
        to_engine = RateConverter()
        async for frame in frames_of(track):
            samples = frames.audio_to_ndarray(frame, dtype="float32", channels=1)
            yield to_engine(samples, frame.sample_rate)


def mono_float32(samples: NDArray[Any]) -> Samples:
    """`samples` as mono float32 in [-1, 1].

    Raises:
        InvalidOption: They are not one-dimensional, or neither float nor int16.
    """
    if samples.ndim != 1 or samples.dtype.kind not in "fi" or samples.dtype in (np.int64, np.int32, np.int8):
        raise InvalidOption(f"sound is mono, float or int16 of shape (n,), not {samples.dtype} {samples.shape}")
    return samples.astype(np.float32) / (32768.0 if samples.dtype == np.int16 else 1.0)
