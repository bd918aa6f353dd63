"""One duplex device behind the blocking streams that programs are used to, whatever they call them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter
from spike_engine.duplex import DuplexAudio
from spike_engine.errors import InvalidState

_AHEAD_MS = 100.0  # what a stream takes before `write` waits

_lock = threading.Lock()
_shared: list[DuplexAudio] = []
_users = 0


def _acquire(make: Callable[[], DuplexAudio]) -> DuplexAudio:
    """The process's device, which is opened for the first of its streams."""
    global _users  # noqa: PLW0603 (there is one sound card)
    with _lock:
        if not _shared:
            _shared.append(make().__enter__())
        _users += 1
        return _shared[0]


def _release() -> None:
    """Close it with the last of them."""
    global _users  # noqa: PLW0603
    with _lock:
        _users -= 1
        if _users == 0:
            _shared.pop().__exit__(None, None, None)


def device() -> DuplexAudio:
    """What all streams do is done by one device: it cancels the echo of every loudspeaker stream in every microphone's.

    Its turns are not asked for, so nothing is held.
    """
    return DuplexAudio(ENGINE_RATE_HZ, dtype="int16", block_samples=ENGINE_RATE_HZ // 100, hold_interruptions=False)


class Capture:
    """The cleaned microphone in blocks of any length, mono int16 at any rate. One at a time."""

    _open = False

    def __init__(self, rate_hz: int, make: Callable[[], DuplexAudio] = device) -> None:
        if Capture._open:
            raise InvalidState("the microphone is read by another stream: close it first")
        self._audio = _acquire(make)
        Capture._open = True
        self._blocks = iter(self._audio)
        self._convert = RateConverter(rate_hz, dtype="int16")
        self._waiting = np.zeros(0, np.int16)

    def read(self, samples: int) -> NDArray[np.int16]:
        """The next `samples`, shape ``(n,)``; waits for them. Fewer where the device has been closed."""
        while len(self._waiting) < samples:
            block: Any = next(self._blocks, None)
            if block is None:
                break
            converted = self._convert(np.ascontiguousarray(block, np.int16), ENGINE_RATE_HZ)
            self._waiting = np.concatenate([self._waiting, converted])
        taken, self._waiting = self._waiting[:samples], self._waiting[samples:]
        return taken

    def close(self) -> None:
        """Read no more."""
        Capture._open = False
        _release()


class Playback:
    """The loudspeaker for blocks of any length, mono int16 at any rate."""

    def __init__(self, rate_hz: int, make: Callable[[], DuplexAudio] = device) -> None:
        self._audio = _acquire(make)
        self._rate_hz = rate_hz
        self._convert = RateConverter(ENGINE_RATE_HZ, dtype="int16")

    def write(self, samples: NDArray[np.int16]) -> None:
        """Play `samples`, shape ``(n,)``; returns when there is room for more, as a sound card does."""
        self._audio.play(self._convert(np.ascontiguousarray(samples, np.int16), self._rate_hz))
        time.sleep(max(0.0, self._audio.queued_ms - _AHEAD_MS) / 1000)

    def abort(self) -> None:
        """Drop what has not been heard."""
        self._audio.flush()

    def drain(self) -> None:
        """Return when all of it has been heard."""
        while (left_ms := self._audio.queued_ms) > 0:
            time.sleep(left_ms / 1000 + 0.01)

    def close(self) -> None:
        """Play no more; what is queued is still heard as long as the microphone is open."""
        _release()
