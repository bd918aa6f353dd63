"""Microphones and loudspeakers through PortAudio."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp
from spike_engine.devices.far_end import HOLD_UP_S, FarEnd
from spike_engine.devices.opening import BEGIN_S, CLOSE_LIMIT_S, STALL_S, beside, in_thread
from spike_engine.devices.portaudio import BLOCK_SAMPLES, Stream
from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.errors import DeviceNotFound

_LOOK_EVERY_S = 1.0


_QUEUE_SAMPLES = ENGINE_RATE_HZ  # of what is to be played

Take: TypeAlias = Callable[[NDArray[np.float32], dsp.Ring], object]


class Microphone:
    """A microphone through PortAudio. Its callback does one push on a native ring.

    Attributes:
        sample_rate_hz: 48000, or after `start` the device's own where it has no such rate.
    """

    def __init__(self, device_id: str = "default") -> None:
        self.sample_rate_hz = ENGINE_RATE_HZ
        self._device_id = device_id
        self._ring = dsp.Ring(round(HOLD_UP_S * ENGINE_RATE_HZ))
        self._stream: Stream | None = None
        self._presence: _Presence | None = None
        self._captured = asyncio.Event()
        self._begun = self._closed = False

    async def start(self) -> None:
        """See :meth:`AudioSource.start`."""
        loop = asyncio.get_running_loop()

        def on_block(block: NDArray[np.float32], *_: object) -> None:
            self._ring.push(block[:, 0] if block.shape[1] == 1 else block.mean(axis=1))
            with contextlib.suppress(RuntimeError):  # the loop is closing
                loop.call_soon_threadsafe(self._captured.set)

        called = f"the microphone {self._device_id!r}"
        self._stream = await in_thread(Stream, "input", self._device_id, on_block, called=called)
        self.sample_rate_hz = self._stream.rate_hz
        self._presence = _Presence(self._stream)

    async def ready(self) -> None:
        """Return when it has given its first sound, at the latest after `BEGIN_S`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEGIN_S):
                await self._captured.wait()

    async def read(self, samples: int) -> NDArray[np.float32]:
        """See :meth:`AudioSource.read`."""
        if self._presence and self._presence.is_gone():
            raise DeviceNotFound(f"the microphone {self._device_id!r} is gone")
        while self._ring.available < samples:
            limit_s = STALL_S if self._begun else BEGIN_S
            self._captured.clear()
            try:
                async with asyncio.timeout(limit_s):
                    await self._captured.wait()
            except TimeoutError:
                raise DeviceNotFound(f"the microphone {self._device_id!r} gives no more sound") from None
            self._begun = True
            if self._closed:  # while it was read, to be replaced by another
                raise DeviceNotFound(f"the microphone {self._device_id!r} is closed")
        block = np.empty(samples, np.float32)
        self._ring.pop(block)
        return block

    @property
    def latency_s(self) -> float:
        """From a sound to its block, as the system says it."""
        return self._stream.latency_s if self._stream else 0.0

    @property
    def lost_ms(self) -> float:
        """What was captured and not read in time, since the start."""
        return 1000 * self._ring.overruns / self.sample_rate_hz

    async def close(self) -> None:
        """See :meth:`AudioSource.close`."""
        self._closed = True
        self._captured.set()
        stream, self._stream = self._stream, None
        await _close_stream(stream, self._presence)


class Loudspeaker:
    """A loudspeaker through PortAudio. Its callback does one call, which also keeps what was played as the far end.

    Attributes:
        sample_rate_hz: 48000, or after `start` the device's own where it has no such rate.
    """

    def __init__(self, device_id: str = "default") -> None:
        self.sample_rate_hz = ENGINE_RATE_HZ
        self._device_id = device_id
        self._queued = dsp.Ring(_QUEUE_SAMPLES)
        self._far_end = FarEnd(ENGINE_RATE_HZ)
        self._take: Take = self._queued.pop
        self._flush = threading.Event()
        self._stream: Stream | None = None
        self._presence: _Presence | None = None
        self._begun = threading.Event()
        self._played_at_s = 0.0

    async def start(self) -> None:
        """See :meth:`AudioSink.start`."""
        mono = np.zeros(BLOCK_SAMPLES, np.float32)

        def on_block(block: NDArray[np.float32], *_: object) -> None:
            nonlocal mono
            if len(mono) != len(block):
                mono = np.zeros(len(block), np.float32)
            if self._flush.is_set():  # the ring's reader is this thread: only it may clear
                self._queued.clear()
                self._flush.clear()
            self._take(mono, self._far_end.ring)
            block[:] = mono[:, None]
            self._played_at_s = time.monotonic()
            self._begun.set()

        self._played_at_s = time.monotonic()
        called = f"the loudspeaker {self._device_id!r}"
        self._stream = await in_thread(Stream, "output", self._device_id, on_block, called=called)
        self.sample_rate_hz = self._stream.rate_hz
        self._presence = _Presence(self._stream)

    async def ready(self) -> None:
        """Return when it has begun to play, at the latest after `BEGIN_S`."""
        await asyncio.to_thread(self._begun.wait, BEGIN_S)

    def write(self, samples: NDArray[np.float32]) -> None:
        """See :meth:`AudioSink.write`."""
        limit_s = STALL_S if self._begun.is_set() else BEGIN_S
        if time.monotonic() - self._played_at_s > limit_s or (self._presence and self._presence.is_gone()):
            raise DeviceNotFound(f"the loudspeaker {self._device_id!r} plays no more sound")
        self._queued.push(samples)

    def play_from(self, take: Take | None) -> bool:
        """Play what `take` fills each block with, in the loudspeaker's own thread, instead of what is written.

        It gets the block, shape ``(n,)``, and the ring that keeps the far end. None plays what is written again. False
        where the device has not the rate that `take` gives: then it has to be written.
        """
        if self.sample_rate_hz != ENGINE_RATE_HZ:
            return False
        self._take = take or self._queued.pop
        return True

    def played(self, samples: int) -> NDArray[np.float32]:
        """See :meth:`AudioSink.played`."""
        return self._far_end.next(samples)

    def flush(self) -> None:
        """See :meth:`AudioSink.flush`."""
        self._flush.set()

    @property
    def latency_s(self) -> float:
        """From a block's making to its sound, as the system says it."""
        return self._stream.latency_s if self._stream else 0.0

    @property
    def lost_ms(self) -> float:
        """What was written and did not fit, since the start."""
        return 1000 * self._queued.overruns / self.sample_rate_hz

    @property
    def idle_ms(self) -> float:
        """How long there was nothing to play, since the start."""
        return 1000 * self._queued.underruns / self.sample_rate_hz

    async def close(self) -> None:
        """See :meth:`AudioSink.close`."""
        stream, self._stream = self._stream, None
        await _close_stream(stream, self._presence)


class _Presence:
    """Whether a stream's device is still there; asked now and then, in a thread, where the system would not tell."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._asking: asyncio.Future[bool] | None = None
        self._asked_at_s = time.monotonic()

    def is_gone(self) -> bool:
        """The last answer. Never blocks; on the event loop."""
        if self._asking and self._asking.done():
            asked, self._asking = self._asking, None
            return asked.result()
        if self._stream.may_be_moved and not self._asking and time.monotonic() - self._asked_at_s > _LOOK_EVERY_S:
            self._asked_at_s = time.monotonic()
            self._asking = beside(self._stream.is_moved)
        return False

    async def close(self) -> None:
        """Wait for what is under way, but not for long."""
        if self._asking:
            await asyncio.wait({self._asking}, timeout=CLOSE_LIMIT_S)


async def _close_stream(stream: Stream | None, presence: _Presence | None) -> None:
    if presence:
        await presence.close()
    if stream:
        await beside(stream.close)
