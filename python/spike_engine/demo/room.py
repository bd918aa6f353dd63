"""A simulated room with a user, a microphone, and a loudspeaker that leaks into it."""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray

from spike_engine.demo.acoustics import Samples, Shoebox, StreamingConvolution
from spike_engine.dsp.rates import ENGINE_RATE_HZ

BLOCK_SAMPLES = ENGINE_RATE_HZ // 100

_MICROPHONE_M = (2.1, 1.5, 0.9)
_LOUDSPEAKER_M = (2.3, 1.7, 0.85)
_USER_M = (2.3, 2.0, 1.15)
_PEAK_ECHO_GAIN = 0.35  # of the direct path from loudspeaker to microphone
_USER_GAIN = 0.6


class SimulatedRoom:
    """Everything in it runs on one clock, that of the event loop, in blocks of 10 ms.

    Attributes:
        microphone: What the client captures from.
        loudspeaker: What the client plays to.
        user: Who talks.

    Args:
        shoebox: The room.
        device_delay_ms: What loudspeaker and microphone take together, beside the sound's way.
        noise_dbfs: Level of the room's noise at the microphone.
        seed: Of the noise.
    """

    def __init__(
        self,
        shoebox: Shoebox | None = None,
        *,
        device_delay_ms: float = 60.0,
        noise_dbfs: float = -62.0,
        seed: int = 1,
    ) -> None:
        shoebox = shoebox or Shoebox()
        echo = shoebox.impulse_response(_LOUDSPEAKER_M, _MICROPHONE_M, ENGINE_RATE_HZ)
        speech = shoebox.impulse_response(_USER_M, _MICROPHONE_M, ENGINE_RATE_HZ)
        delay = np.zeros(round(device_delay_ms * ENGINE_RATE_HZ / 1000), np.float32)
        echo_path = np.concatenate([delay, echo * np.float32(_PEAK_ECHO_GAIN / np.abs(echo).max())])
        speech_path = speech * np.float32(_USER_GAIN / np.abs(speech).max())
        self._paths = StreamingConvolution([echo_path, speech_path], BLOCK_SAMPLES)
        self._noise = _BrownishNoise(noise_dbfs, seed)
        self.loudspeaker = RoomLoudspeaker()
        self.user = RoomUser()
        self.microphone = RoomMicrophone(self)

    def next_block(self) -> Samples:
        """What the microphone hears in the next 10 ms."""
        heard = self._paths.process(self.loudspeaker.next_block(), self.user.next_block())
        microphone: Samples = np.clip(heard + self._noise.next_block(), -1.0, 1.0)
        return microphone


class RoomMicrophone:
    """An :class:`~spike_engine.AudioSource`: reading it is what moves the room's time on."""

    sample_rate_hz = ENGINE_RATE_HZ

    def __init__(self, room: SimulatedRoom) -> None:
        self._room = room
        self._next_at: float | None = None

    async def start(self) -> None:
        """The room is always open."""

    async def read(self, samples: int) -> NDArray[np.float32]:
        """See :meth:`spike_engine.AudioSource.read`; `samples` are whole blocks."""
        loop = asyncio.get_running_loop()
        self._next_at = (self._next_at or loop.time()) + samples / ENGINE_RATE_HZ
        await asyncio.sleep(max(0.0, self._next_at - loop.time()))
        return np.concatenate([self._room.next_block() for _ in range(samples // BLOCK_SAMPLES)])

    async def close(self) -> None:
        """The room is always open."""


class RoomLoudspeaker:
    """An :class:`~spike_engine.AudioSink` that plays into the room."""

    sample_rate_hz = ENGINE_RATE_HZ

    def __init__(self) -> None:
        self._queued = np.zeros(0, np.float32)
        self._played = np.zeros(0, np.float32)

    async def start(self) -> None:
        """The room is always open."""

    def write(self, samples: Samples) -> None:
        """See :meth:`spike_engine.AudioSink.write`."""
        self._queued = np.concatenate([self._queued, samples])

    def played(self, samples: int) -> Samples:
        """See :meth:`spike_engine.AudioSink.played`."""
        block, self._played = self._played[:samples], self._played[samples:]
        return np.pad(block, (0, samples - len(block)))

    def flush(self) -> None:
        """See :meth:`spike_engine.AudioSink.flush`."""
        self._queued = np.zeros(0, np.float32)

    async def close(self) -> None:
        """The room is always open."""

    def next_block(self) -> Samples:
        """What it plays in the next 10 ms."""
        block, self._queued = self._queued[:BLOCK_SAMPLES], self._queued[BLOCK_SAMPLES:]
        block = np.pad(block, (0, BLOCK_SAMPLES - len(block)))
        self._played = np.concatenate([self._played, block])
        return block


class RoomUser:
    """Who talks in the room."""

    def __init__(self) -> None:
        self._unsaid = np.zeros(0, np.float32)
        self._said = asyncio.Event()
        self.talking: list[tuple[float, float]] = []

    async def say(self, samples: Samples) -> tuple[float, float]:
        """Say `samples`, mono float32 at 48 kHz; returns when that began and ended, in the loop's seconds."""
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        self._said.clear()
        self._unsaid = samples
        await self._said.wait()
        self.talking.append((began_at, loop.time()))
        return self.talking[-1]

    def next_block(self) -> Samples:
        """What the user says in the next 10 ms."""
        block, self._unsaid = self._unsaid[:BLOCK_SAMPLES], self._unsaid[BLOCK_SAMPLES:]
        if len(block) and not len(self._unsaid):
            self._said.set()
        return np.pad(block, (0, BLOCK_SAMPLES - len(block)))


class _BrownishNoise:
    """A room's hum and hiss: white noise, the deeper the louder."""

    def __init__(self, level_dbfs: float, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._gain = np.float32(10 ** (level_dbfs / 20))
        taps = np.exp(-np.arange(24) / 6.0)
        self._taps = (taps / np.sqrt((taps**2).sum())).astype(np.float32)
        self._before = np.zeros(len(self._taps) - 1, np.float32)

    def next_block(self) -> Samples:
        white = np.concatenate([self._before, self._random.standard_normal(BLOCK_SAMPLES, np.float32)])
        self._before = white[-len(self._before) :]
        return self._gain * np.convolve(white, self._taps, "valid")
