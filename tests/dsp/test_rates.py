"""Every rate that users have: what comes out has the length, the delay and the quality that it has at 16 kHz."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rooms import FAR, NEAR, Samples, echo_of, gain_db, impulse_response, level_db, si_sdr_db, speech
from scipy.signal import chirp

from spike_engine import dsp

RATES_HZ = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000]
NEW_RATES_HZ = [8000, 12000, 22050]

STAGES: dict[str, Callable[[int], Any]] = {
    "echo canceller": lambda rate_hz: dsp.EchoCanceller(rate_hz, residual="spectral"),
    "stereo echo canceller": lambda rate_hz: dsp.EchoCanceller(rate_hz, far_channels=2, residual="spectral"),
    "noise suppressor": dsp.NoiseSuppressor,
    "bank": lambda rate_hz: dsp.NoiseSuppressorBank(2, rate_hz, mode="classical"),
    "gain control": dsp.GainControl,
    "capture pipeline": dsp.CapturePipeline,
    "telephone": lambda rate_hz: dsp.CapturePipeline(rate_hz, echo_cancellation=False),
}


def process(stage: Any, mic: np.ndarray, far: np.ndarray) -> np.ndarray:
    """The stage's output, of its first stream where it has several."""
    made: np.ndarray
    if isinstance(stage, dsp.NoiseSuppressorBank):
        made = stage.process(np.stack([mic, far]))[0]
    elif isinstance(stage, dsp.NoiseSuppressor | dsp.GainControl):
        made = stage.process(mic)
    elif isinstance(stage, dsp.EchoCanceller) and stage.far_channels == 2:
        made = stage.process(mic, np.stack([far, far], axis=1))
    else:
        made = stage.process(mic, far)
    return made


def in_time(stage: Any, mic: Samples, far: Samples) -> Samples:
    out = process(stage, mic, far)[stage.latency_samples :]
    return np.concatenate([out, np.zeros(len(mic) - len(out), np.float32)])


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("name", STAGES)
def test_the_delay_is_what_latency_samples_says(name: str, rate_hz: int) -> None:
    stage = STAGES[name](rate_hz)
    mic = np.zeros(2 * rate_hz, np.float32)
    time_s = np.arange(rate_hz // 10) / rate_hz
    burst = slice(rate_hz, rate_hz + len(time_s))
    mic[burst] = 0.5 * chirp(time_s, 500, 0.1, 3000) * np.hanning(len(time_s))
    out = process(stage, mic, np.zeros_like(mic))

    assert np.argmax(np.correlate(out, mic[burst], "valid")) - rate_hz == stage.latency_samples


@pytest.mark.parametrize("rate_hz", [11025, 22050])
@pytest.mark.parametrize("name", STAGES)
@given(cuts=st.lists(st.integers(0, 900), max_size=8))
@settings(max_examples=10, deadline=None)
def test_how_a_stream_is_cut_changes_nothing(name: str, rate_hz: int, cuts: list[int]) -> None:
    mic, far = (0.1 * np.random.default_rng(2).standard_normal((2, 4410))).astype(np.float32)
    whole = process(STAGES[name](rate_hz), mic, far)
    stage, parts, at = STAGES[name](rate_hz), [], 0
    for cut in [*cuts, len(mic)]:
        parts.append(process(stage, mic[at : at + cut], far[at : at + cut]))
        at += cut

    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert len(whole) == len(mic)  # 20 ms are a whole number of samples at either rate


@pytest.mark.parametrize("name", STAGES)
def test_reset_begins_anew(name: str) -> None:
    mic, far = (0.1 * np.random.default_rng(2).standard_normal((2, 5000))).astype(np.float32)
    stage = STAGES[name](22050)
    first = process(stage, mic, far)
    stage.reset()

    np.testing.assert_array_equal(process(stage, mic, far), first)


@pytest.mark.parametrize("rate_hz", [0, -1, 7999, 48001, 96000])
def test_other_rates_are_refused(rate_hz: int) -> None:
    for create in (*STAGES.values(), dsp.VoiceDetector):
        with pytest.raises(ValueError, match=f"from 8000 to 48000, not {rate_hz}"):
            create(rate_hz)


def test_the_linear_stage_is_shown_at_rates_of_its_own() -> None:
    with pytest.raises(ValueError, match=r"44\.1"):
        dsp.EchoCanceller(22050).linear_stage(np.zeros(2400, np.float32), np.zeros(2400, np.float32))


@pytest.mark.quality
@pytest.mark.parametrize("rate_hz", NEW_RATES_HZ)
@pytest.mark.parametrize("residual", ["neural", "spectral"])
def test_echo_alone_is_removed(rate_hz: int, residual: dsp.EchoResidual) -> None:
    """As at 16 kHz: 25 dB once it has converged, 15 dB over the first two seconds."""
    far = 0.7 * speech(FAR, rate_hz, 8.0)
    hiss = (3e-4 * np.random.default_rng(5).standard_normal(len(far))).astype(np.float32)
    mic = echo_of(far, impulse_response(rate_hz, 0.3, 120, -6.0, seed=1)) + hiss
    canceller = dsp.EchoCanceller(rate_hz, residual=residual)
    out = in_time(canceller, mic, far)

    for part, least_db in ((slice(4 * rate_hz, 7 * rate_hz), 25.0), (slice(rate_hz // 5, 2 * rate_hz), 15.0)):
        assert level_db(mic[part]) - level_db(out[part]) >= least_db
    assert canceller.stats.delay_ms == pytest.approx(120, abs=5.0)


@pytest.mark.quality
@pytest.mark.parametrize("rate_hz", NEW_RATES_HZ)
def test_who_talks_over_the_echo_is_kept(rate_hz: int) -> None:
    far = 0.7 * speech(FAR, rate_hz, 10.0)
    echo = echo_of(far, impulse_response(rate_hz, 0.3, 120, -6.0, seed=1))
    near = 0.4 * speech(NEAR, rate_hz, 10.0)
    near[: 6 * rate_hz] = 0.0
    out = in_time(dsp.EchoCanceller(rate_hz), echo + near, far)
    both = slice(7 * rate_hz, int(9.5 * rate_hz))

    assert gain_db(out[both], near[both]) > -1.5
    assert si_sdr_db(out[both], near[both]) > si_sdr_db((echo + near)[both], near[both]) + 10.0


@pytest.mark.quality
@pytest.mark.parametrize("rate_hz", [11025, 12000, 22050])
def test_noise_goes_and_speech_stays(rate_hz: int) -> None:
    clean = 0.5 * speech(NEAR, rate_hz, 6.0)
    noise = (0.03 * np.random.default_rng(5).standard_normal(len(clean))).astype(np.float32)
    out = in_time(dsp.NoiseSuppressor(rate_hz), clean + noise, clean)
    later = slice(2 * rate_hz, int(5.5 * rate_hz))

    assert si_sdr_db(out[later], clean[later]) > si_sdr_db((clean + noise)[later], clean[later]) + 4.0
