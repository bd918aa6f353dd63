"""Settings of every stage: whole numbers of any type are taken, anything else is refused in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spike_engine import dsp

WHOLE: dict[str, tuple[Callable[[Any], Any], int]] = {
    "Resampler.from_hz": (lambda value: dsp.Resampler(value, 48000), 44100),
    "Resampler.to_hz": (lambda value: dsp.Resampler(48000, value), 44100),
    "Resampler.channels": (lambda value: dsp.Resampler(48000, 16000, channels=value), 2),
    "resample.from_hz": (lambda value: dsp.resample(np.zeros(100, np.float32), value, 48000), 44100),
    "resample.to_hz": (lambda value: dsp.resample(np.zeros(100, np.float32), 48000, value), 44100),
    "EchoCanceller.sample_rate_hz": (dsp.EchoCanceller, 16000),
    "EchoCanceller.far_channels": (lambda value: dsp.EchoCanceller(16000, far_channels=value), 2),
    "NoiseSuppressor.sample_rate_hz": (dsp.NoiseSuppressor, 16000),
    "NoiseSuppressorBank.streams": (lambda value: dsp.NoiseSuppressorBank(value, 16000), 3),
    "NoiseSuppressorBank.sample_rate_hz": (lambda value: dsp.NoiseSuppressorBank(1, value), 16000),
    "CapturePipeline.sample_rate_hz": (dsp.CapturePipeline, 16000),
    "CapturePipeline.far_channels": (lambda value: dsp.CapturePipeline(16000, far_channels=value), 2),
    "CapturePipeline without echo canceller.far_channels": (
        lambda value: dsp.CapturePipeline(16000, far_channels=value, echo_cancellation=False),
        2,
    ),
    "RenderPipeline.sample_rate_hz": (dsp.RenderPipeline, 16000),
    "GainControl.sample_rate_hz": (dsp.GainControl, 16000),
    "VoiceDetector.sample_rate_hz": (dsp.VoiceDetector, 16000),
    "VoiceDetector.hangover_ms": (lambda value: dsp.VoiceDetector(16000, hangover_ms=value), 100),
}
REAL: dict[str, Callable[[Any], Any]] = {
    "NoiseSuppressor.attenuation_db": lambda value: dsp.NoiseSuppressor(16000, attenuation_db=value),
    "NoiseSuppressor.attenuation_db, set": lambda value: setattr(dsp.NoiseSuppressor(16000), "attenuation_db", value),
    "NoiseSuppressorBank.attenuation_db": lambda value: dsp.NoiseSuppressorBank(2, 16000, attenuation_db=value),
    "GainControl.target_dbfs": lambda value: dsp.GainControl(16000, target_dbfs=value),
    "GainControl.max_gain_db": lambda value: dsp.GainControl(16000, max_gain_db=value),
    "RenderPipeline.gain": lambda value: setattr(dsp.RenderPipeline(16000), "gain", value),
    "EchoCanceller.hint_delay.delay_ms": lambda value: dsp.EchoCanceller(16000).hint_delay(value),
    "Resampler.set_ratio.ratio": lambda value: dsp.Resampler(16000, 16000).set_ratio(value),
}
FLAGS: dict[str, Callable[[Any], Any]] = {
    "CapturePipeline.echo_cancellation": lambda value: dsp.CapturePipeline(16000, echo_cancellation=value),
    "CapturePipeline.gain_control": lambda value: dsp.CapturePipeline(16000, gain_control=value),
    "Resampler.planar": lambda value: dsp.Resampler(16000, 8000, planar=value),
    "Resampler.process.last": lambda value: dsp.Resampler(16000, 8000).process(np.zeros(10, np.float32), last=value),
}
WORDS: dict[str, Callable[[Any], Any]] = {
    "EchoCanceller.residual": lambda value: dsp.EchoCanceller(16000, residual=value),
    "NoiseSuppressor.mode": lambda value: dsp.NoiseSuppressor(16000, mode=value),
    "Resampler.quality": lambda value: dsp.Resampler(16000, 8000, quality=value),
}


def setting(name: str) -> str:
    return name.partition(",")[0].rpartition(".")[2]


def says(error: pytest.ExceptionInfo[Exception], name: str) -> bool:
    """The message names the setting and is not a list of C++ signatures."""
    text = str(error.value)
    return setting(name) in text and "incompatible" not in text and "\n" not in text


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_number_may_have_any_type(name: str) -> None:
    make, good = WHOLE[name]
    for kind in (int, float, np.int32, np.uint16, np.float64):
        make(kind(good))


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("value", ["16000", None, True, [16000], 16000 + 0j, b"1", object()])
def test_what_is_no_number_is_refused(name: str, value: Any) -> None:
    with pytest.raises(TypeError) as error:
        WHOLE[name][0](value)
    assert says(error, name)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("value", [44100.5, float("nan"), float("inf"), -1, -1.0, 2**31, 2**64, -(2**80), 1e300])
def test_numbers_that_will_not_do_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=setting(name)) as error:
        WHOLE[name][0](value)
    assert says(error, name)


@pytest.mark.parametrize("name", REAL)
def test_numbers_out_of_range_are_refused(name: str) -> None:
    for value in (float("nan"), float("inf"), -float("inf"), -5.0, 5000, 1e12):
        with pytest.raises(ValueError, match=setting(name)) as error:
            REAL[name](value)
        assert says(error, name)
    for value in ("1", [1.0], True, 1j):
        with pytest.raises(TypeError) as refused:
            REAL[name](value)
        assert says(refused, name)


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_is_a_bool(name: str) -> None:
    FLAGS[name](np.bool_(True))
    for value in ("no", 1, None, 0.0, []):
        with pytest.raises(TypeError) as error:
            FLAGS[name](value)
        assert says(error, name)


@pytest.mark.parametrize("name", WORDS)
def test_a_word_is_one_of_those_that_are_known(name: str) -> None:
    for value in ("magic", "", None, 5, b"neural", ["neural"]):
        with pytest.raises(ValueError, match=setting(name)) as error:
            WORDS[name](value)
        assert says(error, name)


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_ring_holds_at_least_one_sample(capacity: int) -> None:
    with pytest.raises(ValueError, match="capacity_samples"):
        dsp.Ring(capacity)


def test_noise_suppression_is_a_flag_or_a_mode() -> None:
    for value in (True, False, np.bool_(True), "neural", "recogniser", "classical"):
        dsp.CapturePipeline(16000, noise_suppression=value)
    for value, kind in ((1, TypeError), (None, TypeError), ([], TypeError), ("no", ValueError), ("", ValueError)):
        with pytest.raises(kind, match="noise_suppression must be") as error:
            dsp.CapturePipeline(16000, noise_suppression=value)
        assert says(error, "CapturePipeline.noise_suppression")
