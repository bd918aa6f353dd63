"""Noise that no package holds enough of: machines and air, keys and knocks."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

RATE_HZ = 48000
Samples = NDArray[np.float32]


def shaped_noise(random: np.random.Generator, samples: int) -> Samples:
    """Fans, hum, cars, air: a smooth random spectrum, harmonics now and then, slow modulation."""
    size = scipy.fft.next_fast_len(samples, real=True)
    frequency = np.linspace(0, RATE_HZ / 2, size // 2 + 1)
    knots_hz = np.concatenate([[0], np.geomspace(60, 24000, 9)])
    tilt_db = random.uniform(-9, 1)  # an octave
    knots_db = tilt_db * np.log2(np.maximum(knots_hz, 60) / 60) + random.normal(0, 5, len(knots_hz))
    shape = 10 ** (np.interp(frequency, knots_hz, knots_db) / 20)
    phase = random.uniform(0, 2 * np.pi, len(shape)).astype(np.float32)
    noise = scipy.fft.irfft((shape * np.exp(1j * phase)).astype(np.complex64), size)[:samples]
    t = np.arange(samples, dtype=np.float32) / RATE_HZ
    if random.random() < 0.35:
        hum, pitch_hz = np.zeros(samples, np.float32), random.choice([50, 60, random.uniform(30, 400)])
        for k in range(1, random.integers(3, 16)):
            hum += random.uniform(0, 1) / k**0.7 * np.sin(2 * np.pi * pitch_hz * k * t + random.uniform(0, 6.28))
        noise = noise / (noise.std() + 1e-9) + hum * random.uniform(0.2, 2)
    if random.random() < 0.5:
        depth, speed_hz = random.uniform(0, 0.8), random.uniform(0.1, 8)
        noise = noise * (1 + depth * np.sin(2 * np.pi * speed_hz * t + random.uniform(0, 6.28)))
    return noise.astype(np.float32)


def clicks(random: np.random.Generator, samples: int) -> Samples:
    """Keys, mice, knocks: short resonances at irregular moments."""
    length = 9600
    out = np.zeros(samples + length, np.float32)
    at, pace_s = 0.0, random.uniform(0.05, 0.5)
    t = np.arange(length) / RATE_HZ
    while at < samples - 1:
        burst = random.normal(0, 1, length) * np.exp(-t / random.uniform(0.001, 0.02))
        for _ in range(random.integers(0, 4)):
            ringing = np.sin(2 * np.pi * random.uniform(150, 8000) * t) * np.exp(-t / random.uniform(0.003, 0.05))
            burst += random.uniform(0, 3) * ringing
        out[int(at) : int(at) + length] += random.uniform(0.2, 1) * burst.astype(np.float32)
        at += random.exponential(pace_s) * RATE_HZ + 480
    return out[:samples]
