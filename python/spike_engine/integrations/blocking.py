"""One duplex device behind the blocking streams that programs are used to, whatever they call them."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter
from spike_engine.dsp.settings import whole
from spike_engine.duplex import DuplexAudio
from spike_engine.errors import InvalidOption, InvalidState
from spike_engine.frames import SampleType, convert_samples

LEAD_S = 0.06
AHEAD_MS = 100.0  # what a stream takes before `write` waits

_lock = threading.Lock()
_shared: list[DuplexAudio] = []
_users = 0


def _acquire() -> DuplexAudio:
    """The process's device, which is opened for the first of its streams."""
    global _users  # noqa: PLW0603 (there is one sound card)
    with _lock:
        if not _shared:
            _shared.append(device().__enter__())
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
    return DuplexAudio(ENGINE_RATE_HZ, block_samples=ENGINE_RATE_HZ // 100, hold_interruptions=False)


def _accepted(rate_hz: int) -> int:
    if not 8000 <= whole("the sampling rate", rate_hz) <= 192_000:
        raise InvalidOption(f"the sampling rate must be from 8000 to 192000 Hz, not {rate_hz}")
    return int(rate_hz)


class Capture:
    """The cleaned microphone in blocks of any length, mono at any rate. One at a time.

    Args:
        rate_hz: Of what is read, 8000 to 192000.
        dtype: The same: ``"float32"``, ``"int16"`` or ``"int32"``.

    Raises:
        TypeError, ValueError: `rate_hz` is none of these.
        InvalidState: Another stream reads the microphone.
    """

    _open = False

    def __init__(self, rate_hz: int, dtype: SampleType = "int16") -> None:
        if Capture._open:
            raise InvalidState("the microphone is read by another stream: close it first")
        self._rate_hz, self._dtype = _accepted(rate_hz), dtype
        self._audio = _acquire()
        Capture._open = True
        self._blocks = iter(self._audio)
        self._convert = RateConverter(rate_hz)
        self._waiting = np.zeros(0, np.float32)

    @property
    def available(self) -> int:
        """Samples that can be read without waiting."""
        return len(self._waiting) + int(self._audio.unread_ms * self._rate_hz / 1000)

    @property
    def latency_s(self) -> float:
        """How late what is read is."""
        return self._audio.latency_ms / 1000

    def read(self, samples: int) -> NDArray[Any]:
        """The next `samples`, shape ``(n,)``; waits for them. Fewer where the device has been closed."""
        while len(self._waiting) < samples:
            block: Any = next(self._blocks, None)
            if block is None:
                break
            converted = self._convert(convert_samples(np.asarray(block)), ENGINE_RATE_HZ)
            self._waiting = np.concatenate([self._waiting, converted])
        taken, self._waiting = self._waiting[:samples], self._waiting[samples:]
        return convert_samples(taken, self._dtype)  # type: ignore[no-any-return]

    def close(self) -> None:
        """Read no more."""
        Capture._open = False
        _release()


class Playback:
    """The loudspeaker for blocks of any length, mono at any rate. What several of them play is heard in turn.

    Args:
        rate_hz: Of what is written, 8000 to 192000.

    Raises:
        TypeError, ValueError: `rate_hz` is none of these.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = _accepted(rate_hz)
        self._audio = _acquire()
        self._convert = RateConverter()

    @property
    def available(self) -> int:
        """Samples that can be written without waiting."""
        return max(0, int((AHEAD_MS - self._audio.queued_ms) * self._rate_hz / 1000))

    @property
    def latency_s(self) -> float:
        """How long it takes until what is written is heard."""
        return (self._audio.queued_ms + self._audio.loudspeaker_latency_ms) / 1000

    def write(self, samples: NDArray[Any]) -> None:
        """Play `samples`, shape ``(n,)``; returns when there is room for more, as a sound card does."""
        converted = self._convert(convert_samples(samples), self._rate_hz)
        self._audio.play(convert_samples(converted, self._audio.dtype))
        time.sleep(max(0.0, self._audio.queued_ms - AHEAD_MS) / 1000)

    def lead(self, seconds: float) -> None:
        """Play so much silence first: what is written in step with a microphone may then come late by as much."""
        self.write(np.zeros(round(seconds * self._rate_hz), np.float32))

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
