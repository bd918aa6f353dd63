"""What tests put at the ends of the engine: microphones, loudspeakers, cameras, and a transport's listener."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine.errors import MediaError, SpikeError
from spike_engine.events import DisconnectReason


class ArrayMicrophone:
    """Gives the samples of an array at their pace, then silence."""

    def __init__(self, samples: NDArray[np.float32] | None = None, sample_rate_hz: int = 48000) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.closed = 0
        self._samples = np.zeros(0, np.float32) if samples is None else samples
        self._next_at: float | None = None

    async def start(self) -> None: ...

    async def read(self, samples: int) -> NDArray[np.float32]:
        now = asyncio.get_running_loop().time()
        self._next_at = (self._next_at or now) + samples / self.sample_rate_hz
        await asyncio.sleep(max(0.0, self._next_at - now))
        head, self._samples = self._samples[:samples], self._samples[samples:]
        return np.pad(head, (0, samples - len(head)))

    async def close(self) -> None:
        self.closed += 1


class RecordingLoudspeaker:
    """Keeps everything that it was given to play."""

    def __init__(self, sample_rate_hz: int = 48000) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.blocks: list[NDArray[np.float32]] = []
        self.flushed = 0
        self.closed = 0

    @property
    def samples(self) -> NDArray[np.float32]:
        return np.concatenate([np.zeros(0, np.float32), *self.blocks])

    async def start(self) -> None: ...

    def write(self, samples: NDArray[np.float32]) -> None:
        self.blocks.append(samples.copy())

    def played(self, samples: int) -> NDArray[np.float32]:
        return np.zeros(samples, np.float32)

    def flush(self) -> None:
        self.flushed += 1

    async def close(self) -> None:
        self.closed += 1


class ColourCamera:
    """Shows one colour, 25 times a second."""

    def __init__(self, colour: tuple[int, int, int] = (200, 30, 60), size: tuple[int, int] = (64, 48)) -> None:
        self.closed = 0
        self._picture = np.empty((size[1], size[0], 3), np.uint8)
        self._picture[:] = colour

    async def start(self) -> None: ...

    async def read(self) -> NDArray[np.uint8]:
        await asyncio.sleep(0.04)
        return self._picture

    async def close(self) -> None:
        self.closed += 1


class MediaLog:
    """Remembers what the media of a conversation tell."""

    def __init__(self) -> None:
        self.muted: set[str] = set()
        self.errors: list[MediaError] = []
        self.audio: list[str] = []
        self.voices: list[bool] = []
        self.levels: list[float] = []
        self.user_levels: list[float] = []
        self.arrived = asyncio.Event()

    def is_enabled(self, kind: str) -> bool:
        return kind not in self.muted

    def on_error(self, error: MediaError) -> None:
        self.errors.append(error)

    def on_audio(self, kind: str, samples: NDArray[np.float32]) -> None:
        self.audio.append(kind)

    def on_voice(self, voice: NDArray[np.float32], *, active: bool, suspected: bool) -> None:
        self.voices.append(active)

    def on_user_level(self, level: float) -> None:
        self.user_levels.append(level)

    def on_level(self, level: float) -> None:
        self.levels.append(level)
        self.arrived.set()


class Listener:
    """Remembers what a transport reports."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[str] = asyncio.Queue()
        self.tracks: list[Any] = []
        self.closed: asyncio.Future[tuple[DisconnectReason, SpikeError]] = asyncio.get_running_loop().create_future()

    def on_message(self, text: str) -> None:
        self.messages.put_nowait(text)

    def on_track(self, track: Any) -> None:
        self.tracks.append(track)

    def on_closed(self, reason: DisconnectReason, error: SpikeError) -> None:
        self.closed.set_result((reason, error))
