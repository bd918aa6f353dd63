"""Whether a sound is somebody who takes the floor, or a nod ("mhm", "yeah", "okay"), a cough, a bark or a door.

Two small recurrent networks hear it from its beginning to now: the levels of 24 bands against the loudest moment yet,
and how much of a pitch there is, every 16 ms. ``training/MODEL_CARD.md`` says which recordings they have learned from.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16000

_FRAME, _HOP, _FFT = 512, 256, 1024
_BANDS, _LOWEST_HZ, _HIGHEST_HZ = 24, 80.0, 7600.0
_PITCH_LAGS = slice(40, 230)  # 70 to 400 Hz
_RANGE_DB = 60.0  # below the loudest moment yet; what is quieter says nothing
_QUIET = 1e-7  # the power of a frame that is silence, whatever came before

Floats = NDArray[np.float32]


def is_interruption(samples: NDArray[np.float32]) -> float:
    """How likely `samples` are somebody who takes the floor, 0 to 1.

    Args:
        samples: Cleaned voice at 16 kHz, shape ``(n,)``, from a little before the sound begins. It takes about 2 ms for
            a second of it.
    """
    if len(samples) < 4 * _FRAME or not np.any(samples):
        return 0.0
    frames = features(samples)
    log_odds = np.mean([_log_odds(frames, network) for network in _networks()])
    return float(1 / (1 + np.exp(-log_odds)))


def _log_odds(frames: Floats, network: dict[str, Floats]) -> float:
    """Of words against all else; the networks' errors differ, and so the mean of two is better than either."""
    kernel = network["inputs.weight"]
    moments = _moments(frames, kernel.shape[2])
    heard = np.maximum(_products(moments, kernel.reshape(len(kernel), -1)) + network["inputs.bias"], 0)
    answer = network["answer.weight"] @ _last_state(heard, network) + network["answer.bias"]
    return float(answer[0] - np.logaddexp(answer[1], answer[2]))


def features(samples: NDArray[np.float32]) -> Floats:
    """What the network hears: shape ``(frames, 26)``, each frame knowing of none after it."""
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32), _FRAME)[::_HOP]
    window = _window()
    spectrum = np.fft.rfft((frames - frames.mean(axis=1, keepdims=True)) * window, _FFT)
    power = np.square(np.abs(spectrum)).astype(np.float32)
    total = power.sum(axis=1) / _FFT
    loudest_db = 10 * np.log10(np.maximum.accumulate(np.maximum(total, _QUIET * _FRAME)))
    band_db = 10 * np.log10(_products(power, _mel_bank()) / _FFT + 1e-9)
    bands = np.maximum(band_db - loudest_db[:, None], -_RANGE_DB) / 20 + 1
    level = np.maximum(10 * np.log10(total + 1e-9) - loudest_db, -_RANGE_DB) / 20 + 1
    return np.column_stack([bands, level, _pitch(power)]).astype(np.float32)


def _products(frames: Floats, matrix: Floats) -> Floats:
    """Of `matrix` with each frame, shape ``(frames, rows)``.

    One by one: for all at once BLAS takes several threads, which on a busy machine wait for each other.
    """
    return np.array([matrix @ frame for frame in frames], np.float32)


def _moments(frames: Floats, width: int) -> Floats:
    """So many frames in a row, two of them new each time, or one alone: shape ``(moments, 26 * width)``."""
    new = min(2, width)
    padded = np.concatenate([np.repeat(frames[:1], width - new, axis=0), frames])
    of_frames = np.lib.stride_tricks.sliding_window_view(padded, width, axis=0)[::new]
    moments: Floats = of_frames.reshape(len(of_frames), -1)
    return moments


def _pitch(power: Floats) -> Floats:
    """The highest normalised autocorrelation at a lag of a voice, of each frame (Boersma 1993)."""
    of_frames = np.fft.irfft(power)
    normalised = of_frames[:, _PITCH_LAGS] / (of_frames[:, :1] + 1e-6) / _pitch_of_window()
    highest: Floats = normalised.max(axis=1).astype(np.float32)
    return highest


def _last_state(heard: Floats, weights: dict[str, Floats]) -> Floats:
    """A gated recurrent unit's state after the last frame (Cho et al. 2014)."""
    given_by_frame = _products(heard, weights["memory.weight_ih_l0"]) + weights["memory.bias_ih_l0"]
    of_state, bias = weights["memory.weight_hh_l0"], weights["memory.bias_hh_l0"]
    size = of_state.shape[1]
    state = np.zeros(size, np.float32)
    for given in given_by_frame:
        recalled = of_state @ state + bias
        gates = 1 / (1 + np.exp(-(given[: 2 * size] + recalled[: 2 * size])))
        new = np.tanh(given[2 * size :] + gates[:size] * recalled[2 * size :])
        state = new + gates[size:] * (state - new)
    return state


@cache
def _networks() -> tuple[dict[str, Floats], ...]:
    """Of the file's names the first part is the network's number, the rest is torch's."""
    networks: dict[str, dict[str, Floats]] = {}
    with (resources.files("spike_engine") / "weights" / "turns.npz").open("rb") as file, np.load(file) as stored:
        for name in stored.files:
            number, _, of_network = name.partition(".")
            networks.setdefault(number, {})[of_network] = stored[name].astype(np.float32)
    return tuple(networks.values())


@cache
def _window() -> Floats:
    return np.hanning(_FRAME).astype(np.float32)


@cache
def _pitch_of_window() -> NDArray[Any]:
    """What the window does to the autocorrelation at these lags."""
    of_window = np.fft.irfft(np.square(np.abs(np.fft.rfft(_window(), _FFT))))
    of_lags: NDArray[Any] = (of_window / of_window[0])[_PITCH_LAGS]
    return of_lags


@cache
def _mel_bank() -> Floats:
    """Triangles that are evenly spaced on the mel scale, shape ``(bands, bins)``."""
    lowest, highest = (2595 * np.log10(1 + hz / 700) for hz in (_LOWEST_HZ, _HIGHEST_HZ))
    mel = np.linspace(lowest, highest, _BANDS + 2)
    edge_hz = 700 * (10 ** (mel / 2595) - 1)
    at_hz = np.fft.rfftfreq(_FFT, 1 / RATE_HZ)
    rising = (at_hz - edge_hz[:-2, None]) / (edge_hz[1:-1] - edge_hz[:-2])[:, None]
    falling = (edge_hz[2:, None] - at_hz) / (edge_hz[2:] - edge_hz[1:-1])[:, None]
    bank: Floats = np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)
    return bank
