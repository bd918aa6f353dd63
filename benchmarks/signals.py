"""Seeded inputs that all benchmarks share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def speech_like(rate_hz: int, seconds: float, channels: int = 1, seed: int = 1) -> NDArray[np.float32]:
    """Noise with the spectrum and the syllables of speech: shape ``(n,)``, or ``(n, channels)``."""
    random = np.random.default_rng(seed)
    count = int(rate_hz * seconds)
    spectrum = np.fft.rfft(random.standard_normal((channels, count)))
    frequency_hz = np.fft.rfftfreq(count, 1 / rate_hz)
    spectrum *= 1 / (1 + (frequency_hz / 500) ** 2)
    syllables = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * np.arange(count) / rate_hz)
    samples = np.fft.irfft(spectrum, count) * syllables
    samples *= 0.3 / np.abs(samples).max()
    return np.ascontiguousarray(samples.T if channels > 1 else samples[0]).astype(np.float32)


def echo_pair(rate_hz: int, seconds: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A microphone and the far end that it hears 40 ms later, with somebody talking over it."""
    far = speech_like(rate_hz, seconds, seed=2)
    delay = rate_hz // 25
    echo = np.concatenate([np.zeros(delay, np.float32), 0.4 * far[:-delay]])
    return echo + 0.3 * speech_like(rate_hz, seconds, seed=3), far


def picture(width: int, height: int) -> NDArray[np.uint8]:
    """A smooth RGB picture with some noise, as cameras give."""
    random = np.random.default_rng(4)
    columns, rows = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 55, height))
    shade = columns + rows
    noisy = shade[..., None] + random.normal(0, 4, (height, width, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)
