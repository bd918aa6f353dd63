"""Cleaned sound of the microphone, as an array that knows where it comes from."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


class Block(np.ndarray[Any, np.dtype[Any]]):
    """Mono samples, shape ``(n,)``, float32 in [-1, 1] or int16.

    Attributes:
        level: How loud it is, 0 to 1 (root mean square).
        voice_active: The user talks; the own loudspeaker does not count.
        captured_at: When its first sample reached the microphone, on the clock of :func:`time.monotonic`, in seconds.
    """

    level: float
    voice_active: bool
    captured_at: float

    @classmethod
    def of(cls, samples: NDArray[Any], *, level: float, voice_active: bool, captured_at: float) -> Self:
        """`samples` as a block."""
        block = samples.view(cls)
        block.level, block.voice_active, block.captured_at = level, voice_active, captured_at
        return block

    def __array_finalize__(self, source: object) -> None:
        self.level = getattr(source, "level", 0.0)
        self.voice_active = getattr(source, "voice_active", False)
        self.captured_at = getattr(source, "captured_at", 0.0)
