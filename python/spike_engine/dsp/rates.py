"""The rate that a conversation's sound has inside the engine, and the way there from any other."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spike_engine.dsp.resampler import Resampler
from spike_engine.dsp.stage import S

ENGINE_RATE_HZ = 48000  # Opus's own: what is sent and received needs no further conversion

# The rates that the echo canceller takes; the noise suppressor takes them as well.
_STAGE_RATES_HZ = (16000, 24000, 32000, 44100, 48000)


def working_rate_hz(rate_hz: int) -> int:
    """The rate at which sound is cleaned: its own where the stages take it, else a near one, simply related."""
    if rate_hz in _STAGE_RATES_HZ:
        return rate_hz
    if rate_hz > _STAGE_RATES_HZ[-1]:
        return max((r for r in _STAGE_RATES_HZ if rate_hz % r == 0), default=_STAGE_RATES_HZ[-1])
    above = [r for r in _STAGE_RATES_HZ if r >= rate_hz]
    return min((r for r in above if r % rate_hz == 0), default=above[0])


class RateConverter:
    """Brings mono blocks, shape ``(n,)``, to one rate, whatever rate each of them has.

    A stream that keeps its rate is resampled without a seam; one that has the wanted rate already passes untouched.

    Args:
        to_hz: The rate of what comes out.
        dtype: Of all blocks.
    """

    def __init__(self, to_hz: int = ENGINE_RATE_HZ, *, dtype: Literal["float32", "int16"] = "float32") -> None:
        self.to_hz = to_hz
        self._dtype = dtype
        self._from_hz = to_hz
        self._resampler: Resampler | None = None

    def __call__(self, samples: S, from_hz: int) -> S:
        """`samples`, which have `from_hz`, at the converter's rate."""
        if from_hz != self._from_hz:
            self._from_hz = from_hz
            self._resampler = None if from_hz == self.to_hz else Resampler(from_hz, self.to_hz, dtype=self._dtype)
        return samples if self._resampler is None else self._resampler.process(samples)

    @property
    def latency_s(self) -> float:
        """How late what comes out is."""
        return self._resampler.latency_samples / self.to_hz if self._resampler else 0.0

    def flush(self) -> NDArray[Any]:
        """What the resampler's delay still holds, at the end of a stream; the next block begins a new one."""
        resampler, from_hz = self._resampler, self._from_hz
        self._resampler, self._from_hz = None, self.to_hz
        if resampler is None:
            return np.zeros(0, self._dtype)
        return resampler.process(np.zeros(-(-resampler.latency_samples * from_hz // self.to_hz), self._dtype))
