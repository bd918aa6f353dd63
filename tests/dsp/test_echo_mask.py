"""The core's echo mask against the same network in NumPy, in double precision, from the weights that are shipped.

The network as it is trained stands in `training/echo/network.py`; the file's layout in `cpp/dsp/neural/weights.hpp`.
"""

from __future__ import annotations

from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rooms import FAR, NEAR, echo_of, impulse_response, level_db, speech
from training.shared.weights_file import read_weights

from spike_engine.dsp import EchoCanceller

RATE_HZ, FRAME, BINS, HIDDEN = 16000, 160, 161, 240
PHASE_BINS, LOW_BINS, TAPS = 64, 80, 3
WINDOW = np.sqrt(0.5 - 0.5 * np.cos(np.pi * np.arange(2 * FRAME) / FRAME))
EDGES = np.concatenate([np.arange(0, 32), np.arange(32, 64, 2), np.linspace(64, BINS, 17).round().astype(int)])
HEADS = ("voice", "gains", "filters")
Array = NDArray[np.float64]


def weights() -> dict[str, Array]:
    """The tensors of the package's file."""
    tensors = read_weights(Path(str(resources.files("spike_engine") / "weights" / "echo.spkw")))
    return {name: (x if ".weight" in name else x[0]).astype(float) for name, x in tensors.items()}


def spectra(samples: Array) -> Array:
    """(frames, bins), a sine of amplitude 1 near 1; frame k ends with sample FRAME * (k + 1)."""
    padded = np.concatenate([np.zeros(FRAME), samples])
    frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * FRAME)[::FRAME]
    return np.fft.rfft(frames * WINDOW) / FRAME


def samples_of(spectrum: Array) -> Array:
    """FRAME later than `spectra` took them in."""
    frames = np.fft.irfft(spectrum * FRAME) * WINDOW
    frames[1:, :FRAME] += frames[:-1, FRAME:]
    return frames[:, :FRAME].ravel()


def in_bands(values: Array) -> Array:
    return np.stack([values[:, begin:end].mean(1) for begin, end in pairwise(EDGES)], axis=1)


def running_mean(levels_db: Array, least_db: float) -> Array:
    """(frames, 1): of all bands, over a second, from the first frame on."""
    means, mean = [], None
    for level in np.maximum(levels_db.mean(1), least_db):
        mean = level if mean is None else 0.99 * mean + 0.01 * level
        means.append(mean)
    return np.array(means)[:, None]


def shifted(x: Array) -> Array:
    return np.concatenate([np.zeros_like(x[:1]), x[:-1]])


def heard(microphone: Array, error: Array, echo: Array, far: Array) -> Array:
    powers = [in_bands(np.abs(x) ** 2) for x in (microphone, error, echo, far)]
    levels = [10 * np.log10(power + 1e-10) for power in powers]
    near_db, far_db = running_mean(levels[0], -80), running_mean(levels[3], -60)
    levels = [(x - near_db) / 20 for x in levels[:3]] + [(levels[3] - far_db) / 20]
    scale = 1 / np.sqrt(powers[1] * powers[2] + 1e-20)
    cross = error * echo.conj()
    low = error[:, :PHASE_BINS]
    before = shifted(low)
    advance = low * before.conj() / np.sqrt(np.abs(low * before) ** 2 + 1e-20) * (-1.0) ** np.arange(PHASE_BINS)
    likeness = [in_bands(cross.real) * scale, in_bands(cross.imag) * scale]
    return np.concatenate([*(np.clip(x, -4, 4) for x in levels), *likeness, advance.real, advance.imag], axis=1)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def linear(tensors: dict[str, Array], matrix: str, bias: str, x: Array) -> Array:
    """Of inputs as the core has them: whole numbers up to 127 times what the largest of a frame asks for."""
    unit = np.abs(x).max(-1, keepdims=True) / 127 + 1e-30
    return unit * np.round(x / unit) @ tensors[matrix].T + tensors[bias]


def gru(tensors: dict[str, Array], name: str, x: Array) -> Array:
    state, states = np.zeros(HIDDEN), []
    for row in linear(tensors, f"{name}.weight_ih", f"{name}.bias_ih", x):
        turned = linear(tensors, f"{name}.weight_hh", f"{name}.bias_hh", state)
        reset, update = (sigmoid(row[part] + turned[part]) for part in (slice(0, HIDDEN), slice(HIDDEN, 2 * HIDDEN)))
        new = np.tanh(row[2 * HIDDEN :] + reset * turned[2 * HIDDEN :])
        state = (1 - update) * new + update * state
        states.append(state)
    return np.stack(states)


def kept(error: Array, echo: Array, gains: Array, filters: Array) -> Array:
    """The masked spectrum: low bins are filtered over two frames and the echo, then every band has its gain."""
    real, imag = filters.reshape(len(filters), 2, TAPS, LOW_BINS).transpose(1, 2, 0, 3)
    low = error[:, :LOW_BINS]
    heard = np.stack([low, shifted(low), echo[:, :LOW_BINS]])
    whole = np.concatenate([low + (heard * (real + 1j * imag)).sum(0), error[:, LOW_BINS:]], axis=1)
    return whole * np.repeat(gains, np.diff(EDGES), axis=1)


def test_the_core_agrees_with_the_network_in_numpy() -> None:
    far = 0.7 * speech(FAR, RATE_HZ, 4.0)
    microphone = echo_of(far, impulse_response(RATE_HZ, 0.3, 40, -6.0, seed=1))
    microphone[2 * RATE_HZ :] += 0.4 * speech(NEAR, RATE_HZ, 2.0)
    canceller = EchoCanceller(RATE_HZ)
    chances, out = [], []
    for at in range(0, len(far), FRAME):
        out.append(canceller.process(microphone[at : at + FRAME], far[at : at + FRAME]))
        chances.append(canceller.stats.near_end)

    stage = EchoCanceller(RATE_HZ).linear_stage(microphone, far)
    tensors = weights()
    heard_signals = [spectra(x.astype(float)) for x in (microphone, stage.error, stage.echo, stage.far)]
    joined = np.maximum(linear(tensors, "inputs.weight", "inputs.bias", heard(*heard_signals)), 0)
    first = gru(tensors, "first", joined)
    answer = first + gru(tensors, "second", first)
    voice, gains, filters = (linear(tensors, f"{x}.weight", f"{x}.bias", answer) for x in HEADS)
    expected = sigmoid(voice)[:, 0]

    assert max(chances) > 0.8
    np.testing.assert_allclose(chances, expected, atol=0.02)  # an input that lies between two whole numbers counts
    # Where somebody talks, nothing else decides what is kept.
    whole = samples_of(kept(*heard_signals[1:3], sigmoid(gains), np.tanh(filters))).reshape(-1, FRAME)
    sure = np.array(chances) > 0.5
    sure &= np.concatenate([[False], sure[:-1]])
    difference = np.concatenate(out).reshape(-1, FRAME)[sure] - whole[sure]
    assert sure.sum() > 50
    assert level_db(difference) < level_db(whole[sure]) - 35
