"""The voice that is sent both ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr

RATE_HZ = 48000
FRAME_SAMPLES = 960


def recording(path: Path, seconds: float) -> np.ndarray:
    """`seconds` of a recording, from its beginning again where it is shorter, int16 at 48 kHz."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    voice = soxr.resample(samples[:, 0], rate_hz, RATE_HZ)
    voice = np.tile(voice, int(np.ceil(seconds * RATE_HZ / len(voice))))[: int(seconds * RATE_HZ)]
    return (np.clip(voice, -1, 1) * 32767).astype(np.int16)
