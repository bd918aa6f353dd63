"""The voice detector."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine import _core
from spike_engine.dsp.settings import whole
from spike_engine.dsp.stage import contiguous


class VoiceDetector:
    """Says whether somebody talks, on a signal that is clean already.

    Args:
        sample_rate_hz: 8000 to 48000; see :mod:`spike_engine.dsp`.
        hangover_ms: How long a pause still counts as speech.
    """

    def __init__(self, sample_rate_hz: int = 48000, *, hangover_ms: int = 200) -> None:
        self._core = _core.VoiceDetector(whole("sample_rate_hz", sample_rate_hz), whole("hangover_ms", hangover_ms))

    def process(self, x: NDArray[np.float32] | NDArray[np.int16]) -> float:
        """Listen to `x`, shape ``(n,)``; returns the probability of speech in its last frame, 0 to 1."""
        samples: Any = contiguous("x", x)  # type: ignore[type-var]
        return self._core.process(samples)

    @property
    def probability(self) -> float:
        """Of speech in the last frame, 0 to 1."""
        return self._core.probability

    @property
    def active(self) -> bool:
        """Somebody talks, or did within the hangover."""
        return self._core.active

    def reset(self) -> None:
        """Forget the noise floor and the samples that were kept."""
        self._core.reset()
