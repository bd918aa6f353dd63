"""Other voices and other noses: one spoken sound said by somebody else, one sneeze put together of several."""

from __future__ import annotations

from importlib import import_module

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin2, lfilter

from spike_engine.duplex.voice_shape import RATE_HZ

_LONGEST_S, _FRAME_MS = 1.9, 8.0
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 450.0  # of a voice
_TRACT, _PITCH, _PACE = 0.16, 0.35, 0.2  # as a logarithm, either way
Samples = NDArray[np.float32]


def in_another_voice(random: np.random.Generator, samples: Samples) -> Samples:
    """By WORLD (M. Morise et al. 2016): another vocal tract, pitch, melody and pace.

    Needs `pyworld`; samples are at 16 kHz.
    """
    world = import_module("pyworld")
    heard = samples[: int(_LONGEST_S * RATE_HZ)].astype(np.float64)
    if len(heard) < RATE_HZ // 8:
        return samples
    pitch_hz, times = world.dio(heard, RATE_HZ, frame_period=_FRAME_MS)
    envelope, noise = world.cheaptrick(heard, pitch_hz, times, RATE_HZ), world.d4c(heard, pitch_hz, times, RATE_HZ)
    tract = np.exp(random.uniform(-_TRACT, _TRACT))
    envelope, noise = np.exp(_stretched(np.log(envelope + 1e-16), tract)), _stretched(noise, tract)
    voiced = pitch_hz > 0
    middle_hz = np.exp(np.mean(np.log(pitch_hz[voiced]))) if voiced.any() else 1.0
    melody = (np.maximum(pitch_hz, 1) / middle_hz) ** random.uniform(0.3, 1.8)
    moved_hz = middle_hz * melody * np.exp(random.uniform(-_PITCH, _PITCH))
    moved_hz = np.where(voiced, np.clip(moved_hz, _LOWEST_HZ, _HIGHEST_HZ), 0.0)
    frame_ms = _FRAME_MS * np.exp(random.uniform(-_PACE, _PACE))
    spoken: Samples = world.synthesize(moved_hz, envelope, noise, RATE_HZ, frame_ms).astype(np.float32)
    return spoken


def _stretched(frames: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    bins = frames.shape[1]
    at = np.clip(np.arange(bins) * factor, 0, bins - 1.001)
    below = at.astype(int)
    share = at - below
    return np.ascontiguousarray((1 - share) * frames[:, below] + share * frames[:, below + 1])


def put_together(random: np.random.Generator, drawn: Samples, burst: Samples) -> Samples:
    """The breath of one sound and the outburst of another, each in its own colour, with or without a pause."""
    head, tail = _at_outburst(random, drawn)[0], _at_outburst(random, burst)[1]
    pause = np.zeros(int(random.uniform(0, 0.1) * RATE_HZ) if random.random() < 0.4 else 0, np.float32)
    head = _coloured(random, head) * 10 ** (random.uniform(-14, 2) / 20)
    tail = _coloured(random, tail) * np.exp(-np.arange(len(tail)) / RATE_HZ * random.uniform(0, 4))
    return np.concatenate([head, pause, tail]).astype(np.float32)


def _at_outburst(random: np.random.Generator, samples: Samples) -> tuple[Samples, Samples]:
    """What comes before it and what follows, at full level."""
    loudest = int(np.argmax(np.convolve(np.square(samples), np.ones(400), "same")))
    at = max(0, loudest - int(random.uniform(0, 0.06) * RATE_HZ))
    before = samples[:at] / (np.abs(samples[:at]).max(initial=0) + 1e-9)
    return before, samples[at:] / (np.abs(samples).max() + 1e-9)


def _coloured(random: np.random.Generator, samples: Samples) -> Samples:
    if not len(samples):
        return samples
    response = firwin2(65, np.array([0, 150, 500, 1200, 2500, 4500, 8000]) / 8000, 10 ** (random.normal(0, 4, 7) / 20))
    coloured: Samples = lfilter(response, 1, samples).astype(np.float32)
    return coloured
