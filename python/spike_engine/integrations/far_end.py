"""What a framework plays, on the time line of the microphone that it records."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spike_engine.dsp.rates import RateConverter

Samples = NDArray[np.int16]

_MOST_QUEUED_S = 4.0  # of a transport that writes faster than it plays
_DRIFT = 500e-6  # by how much the microphone's clock may be slower than the system's


class Whole:
    """Cuts chunks of bytes between samples; what is left of one begins the next."""

    def __init__(self) -> None:
        self._kept = b""

    def __call__(self, audio: bytes, unit_bytes: int) -> bytes:
        """As much of `audio` as is whole, in units of so many bytes."""
        audio = self._kept + audio
        end = len(audio) - len(audio) % unit_bytes
        self._kept = audio[end:]
        return audio[:end]


class FarEnd:
    """What was played, on the microphone's time line.

    Chunks come earlier than they sound, by a delay that the canceller finds; it must only stay the same. So a chunk
    that follows another is placed right behind it, and one that comes after a pause where the microphone was at that
    moment, however late its samples are fetched.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._to_rate = RateConverter(rate_hz, dtype="int16")
        self._queued = np.zeros(0, np.int16)  # begins at the microphone's next sample
        self._taken = 0  # samples of the microphone so far
        self._epoch: float | None = None  # when its first sample was captured, by the quickest fetch
        self._asked_at = 0.0

    def append(self, samples: Samples, sample_rate_hz: int, channels: int, now: float) -> None:
        """`samples`, interleaved, begin to be played at `now`, or behind what is queued."""
        if channels > 1:
            samples = samples[: len(samples) // channels * channels].reshape(-1, channels).mean(axis=1).astype(np.int16)
        samples = self._to_rate(samples, sample_rate_hz)
        gap = round((now - self._epoch) * self._rate_hz) - self._taken if self._epoch is not None else 0
        most = int(_MOST_QUEUED_S * self._rate_hz)
        pause = np.zeros(min(most, max(0, gap - len(self._queued))), np.int16)  # what is queued ended before now
        self._queued = np.concatenate([self._queued, pause, samples])[-most:]

    def clear(self) -> None:
        """What is queued is not played after all."""
        self._queued = self._queued[:0]

    def take(self, count: int, now: float) -> Samples:
        """What was played during the microphone's next `count` samples, zeros where nothing was."""
        self._taken += count
        begun = now - self._taken / self._rate_hz
        latest = begun if self._epoch is None else self._epoch + _DRIFT * (now - self._asked_at)
        self._epoch, self._asked_at = min(begun, latest), now
        taken, self._queued = self._queued[:count], self._queued[count:]
        return taken if len(taken) == count else np.concatenate([taken, np.zeros(count - len(taken), np.int16)])
