"""Real recorded speech in rooms with a known echo path, for quality tests. Seeded."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from spike_engine import dsp, frames

RECORDINGS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
FAR = ("demo-abouttotry", "demo-congrats", "vm-intro")
NEAR = ("tt-allbusy", "conf-adminmenu")

Samples = NDArray[np.float32]


@cache
def recording(name: str) -> Samples:
    """A recording at 16 kHz."""
    path = RECORDINGS / f"{name}.g722"
    if not path.exists():
        pytest.skip("the recorded speech is not installed (Debian: apt install asterisk-core-sounds-en-g722)")
    with av.open(path, format="g722") as container:
        return np.concatenate([frames.audio_to_ndarray(frame, channels=1) for frame in container.decode(audio=0)])


@cache
def speech(names: tuple[str, ...], rate_hz: int, seconds: float) -> Samples:
    """Recordings one after another, repeated to a length; read-only, as all who ask share it."""
    whole = dsp.resample(np.concatenate([recording(name) for name in names]), 16000, rate_hz)
    samples = np.resize(whole, int(seconds * rate_hz)).astype(np.float32)
    samples.flags.writeable = False
    return samples


def impulse_response(rate_hz: int, rt60_s: float, delay_ms: float, gain_db: float, seed: int) -> Samples:
    """A direct sound and an exponentially decaying tail behind a bulk delay, with `gain_db` in all."""
    random = np.random.default_rng(seed)
    time_s = np.arange(int(rate_hz * rt60_s * 1.1)) / rate_hz
    response = 0.1 * random.standard_normal(len(time_s)) * np.exp(-6.9 * time_s / rt60_s)
    onset = rate_hz // 1000
    response[:onset], response[onset] = 0.0, 1.0
    response *= 10 ** (gain_db / 20) / np.sqrt((response**2).sum())
    return np.concatenate([np.zeros(int(rate_hz * delay_ms / 1000)), response]).astype(np.float32)


def echo_of(far: Samples, response: Samples) -> Samples:
    return fftconvolve(far, response)[: len(far)].astype(np.float32)


def level_db(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=float)) + 1e-12))


def si_sdr_db(estimate: Samples, reference: Samples) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019)."""
    estimate, reference = estimate.astype(float), reference.astype(float)
    target = (estimate @ reference) / (reference @ reference) * reference
    return float(10 * np.log10((target @ target) / ((estimate - target) @ (estimate - target))))


def gain_db(estimate: Samples, reference: Samples) -> float:
    """The gain with which `reference` is found in `estimate`."""
    estimate, reference = estimate.astype(float), reference.astype(float)
    return float(20 * np.log10(abs(estimate @ reference) / (reference @ reference)))


def cough(rate_hz: int, seconds: float = 0.25) -> Samples:
    """A burst of noise through a throat, which fades: nobody takes it for a word."""
    time_s = np.arange(int(rate_hz * seconds)) / rate_hz
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(len(time_s)))
    at_hz = np.fft.rfftfreq(len(time_s), 1 / rate_hz)
    burst = np.fft.irfft(spectrum / (1 + ((at_hz - 700) / 420) ** 2), len(time_s))
    burst *= np.exp(-time_s / 0.08) * np.minimum(1, time_s / 0.005)
    return (0.3 * burst / np.abs(burst).max()).astype(np.float32)
