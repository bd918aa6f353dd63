"""What is made of nothing and is nobody: things that are struck, hums, hisses and beeps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spike_engine.duplex.voice_shape import RATE_HZ

_LONGEST_S = 1.2


def made(random: np.random.Generator) -> NDArray[np.float32]:
    """A knock or several, a hum, a hiss that fades, or a beep; at 16 kHz."""
    kind, count = random.integers(4), int(random.uniform(0.15, _LONGEST_S) * RATE_HZ)
    time_s = np.arange(count) / RATE_HZ
    if kind == 0:
        sound = _struck(random, count)
    elif kind == 1:
        sound = _hum(random, time_s) * np.sin(np.pi * np.arange(count) / count) ** random.uniform(0.2, 2)
    elif kind == 2:
        sound = random.standard_normal(count) * np.exp(-random.uniform(0.5, 12) * time_s)
        sound = np.convolve(sound, random.standard_normal(random.integers(1, 6)), "same")
    else:
        sound = np.sin(2 * np.pi * np.exp(random.uniform(np.log(200), np.log(4000))) * time_s)
        sound *= np.exp(-random.uniform(0, 8) * time_s)
    return (sound / (np.abs(sound).max() + 1e-9)).astype(np.float32)


def _struck(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Two to nine tones that fade, struck again every 60 to 400 ms."""
    time_s = np.arange(count) / RATE_HZ
    time_s %= random.uniform(0.06, 0.4)
    pitches_hz, decays = random.uniform(90, 3000, (9, 1)), random.uniform(8, 90, (9, 1))
    tones = random.uniform(0.3, 1, (9, 1)) * np.exp(-decays * time_s) * np.sin(2 * np.pi * pitches_hz * time_s)
    struck: NDArray[np.float64] = tones[: random.integers(2, 10)].sum(axis=0)
    return struck


def _hum(random: np.random.Generator, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """A motor or the mains: harmonics of 50 to 300 Hz that do not move."""
    numbers = np.arange(1, random.integers(2, 12))[:, None]
    waves = np.sin(2 * np.pi * random.uniform(50, 300) * numbers * time_s + random.uniform(0, 7, numbers.shape))
    hum: NDArray[np.float64] = (waves / numbers ** random.uniform(0.5, 2)).sum(axis=0)
    return hum
