"""After `reset()` a stage is as new, whatever it has been through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fingerprint
import numpy as np
import pytest

from spike_engine import dsp

RATE_HZ = 16000

STAGES: dict[str, Callable[[], Any]] = {
    "echo canceller, spectral": lambda: dsp.EchoCanceller(RATE_HZ, residual="spectral"),
    "echo canceller, neural": lambda: dsp.EchoCanceller(RATE_HZ),
    "stereo echo canceller": lambda: dsp.EchoCanceller(RATE_HZ, far_channels=2),
    "capture pipeline": lambda: dsp.CapturePipeline(RATE_HZ),
    "bare pipeline": lambda: dsp.CapturePipeline(RATE_HZ, echo_cancellation=False, noise_suppression=False),
    "noise suppressor, neural": lambda: dsp.NoiseSuppressor(RATE_HZ),
    "noise suppressor, classical": lambda: dsp.NoiseSuppressor(RATE_HZ, mode="classical"),
    "gain control": lambda: dsp.GainControl(RATE_HZ),
    "levelling pipeline": lambda: dsp.CapturePipeline(RATE_HZ, gain_control=True),
    "voice detector": lambda: dsp.VoiceDetector(RATE_HZ),
    "resampler": lambda: dsp.Resampler(RATE_HZ, 44100),
}


def made(stage: Any, mic: np.ndarray, far: np.ndarray) -> np.ndarray:
    """What a stage makes of a signal, and what it says of it, a tenth of a second at a time."""
    two = isinstance(stage, dsp.EchoCanceller | dsp.CapturePipeline)
    parts = []
    for at in range(0, len(mic), RATE_HZ // 10):
        block = slice(at, at + RATE_HZ // 10)
        parts.append(np.atleast_1d(stage.process(mic[block], far[block]) if two else stage.process(mic[block])))
        if two:
            parts.append(fingerprint.numbers(stage.stats))
    return np.concatenate(parts)


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("used_s", [0.703, 4.217, 8.0])
def test_reset_forgets_everything(name: str, used_s: float) -> None:
    """Eight seconds of echo with two jumps of the delay and a talker, after a part of another stream."""
    mic, far = fingerprint.echo_scene(RATE_HZ, 2 if name.startswith("stereo") else 1)
    stage = STAGES[name]()
    used = int(used_s * RATE_HZ)
    made(stage, mic[::-1][:used].copy(), far[::-1][:used].copy())
    made(stage, mic[:used], far[:used])
    stage.reset()

    np.testing.assert_array_equal(made(stage, mic, far), made(STAGES[name](), mic, far))
