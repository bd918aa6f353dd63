"""The resampler: lengths, delay, invariance and the figures of its profiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rooms import NEAR, speech

from spike_engine.dsp import Resampler, resample

PAIRS = [(48000, 16000), (16000, 48000), (44100, 48000), (48000, 44100), (48000, 24000), (48000, 8000), (24000, 16000)]
RATES = st.sampled_from([8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000, 192000])


def sine(frequency_hz: float, rate_hz: int, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * np.arange(int(rate_hz * seconds)) / rate_hz).astype(np.float32)


def fit(samples: np.ndarray, frequency_hz: float, rate_hz: int) -> tuple[complex, float]:
    """The tone in the middle of `samples` as a phasor, and its ratio to everything else in dB."""
    middle = slice(len(samples) // 4, 3 * len(samples) // 4)
    angle = 2 * np.pi * frequency_hz * np.arange(len(samples))[middle] / rate_hz
    basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    (real, imag), *_ = np.linalg.lstsq(basis, samples[middle].astype(float), rcond=None)
    rest = samples[middle] - basis @ [real, imag]
    return complex(real, imag), float(10 * np.log10((real**2 + imag**2) / 2 / rest.var()))


@pytest.mark.quality
@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
@pytest.mark.parametrize("share", [0.05, 0.25, 0.45])
def test_a_tone_in_the_band_keeps_level_phase_and_purity(from_hz: int, to_hz: int, share: float) -> None:
    frequency_hz = share * min(from_hz, to_hz)
    tone, sinad_db = fit(resample(sine(frequency_hz, from_hz), from_hz, to_hz), frequency_hz, to_hz)

    assert 20 * np.log10(abs(tone)) == pytest.approx(0.0, abs=0.01)
    assert np.degrees(np.angle(tone)) == pytest.approx(0.0, abs=0.01)
    assert sinad_db >= 115.0


@pytest.mark.quality
@pytest.mark.parametrize(("quality", "rejection_db"), [("voice", 120.0), ("fast", 80.0), ("mastering", 140.0)])
@pytest.mark.parametrize(("from_hz", "to_hz"), [(48000, 16000), (48000, 44100), (48000, 8000)])
@pytest.mark.parametrize("share", [0.6, 0.9])
def test_what_lies_above_the_band_is_gone(
    from_hz: int, to_hz: int, quality: Any, rejection_db: float, share: float
) -> None:
    frequency_hz = share * to_hz
    if frequency_hz >= from_hz / 2:
        frequency_hz = 0.49 * from_hz if 0.49 * from_hz > 0.56 * to_hz else 0.0
    out = resample(sine(frequency_hz, from_hz), from_hz, to_hz, quality)
    middle = out[len(out) // 4 : 3 * len(out) // 4]

    assert np.abs(middle).max() <= 10 ** (-rejection_db / 20)


@pytest.mark.parametrize(("from_hz", "to_hz"), [*PAIRS, (44100, 44123), (192000, 8000)])
def test_the_delay_is_what_latency_says(from_hz: int, to_hz: int) -> None:
    resampler = Resampler(from_hz, to_hz)
    frequency_hz = 0.03 * min(from_hz, to_hz)
    out = resampler.process(sine(frequency_hz, from_hz))
    tone, _ = fit(out, frequency_hz, to_hz)
    expected = np.exp(-2j * np.pi * frequency_hz * resampler.latency_samples / to_hz)

    assert abs(tone - expected) < 1e-3
    assert resampler.latency_ms == pytest.approx(1000 * resampler.latency_samples / to_hz)


def test_the_voice_profile_is_quick_enough_for_a_call() -> None:
    assert Resampler(48000, 16000).latency_ms <= 6.0
    assert Resampler(48000, 16000, quality="fast").latency_ms <= 2.0


def test_ten_milliseconds_in_are_ten_milliseconds_out() -> None:
    for from_hz, to_hz in PAIRS:
        resampler = Resampler(from_hz, to_hz)
        for _ in range(20):
            assert len(resampler.process(np.zeros(from_hz // 100, np.float32))) == to_hz // 100


@given(
    from_hz=RATES,
    to_hz=RATES,
    count=st.integers(0, 3000),
    cuts=st.lists(st.integers(0, 600), max_size=8),
    channels=st.integers(1, 3),
    dtype=st.sampled_from(["float32", "int16"]),
)
@settings(max_examples=60, deadline=None)
def test_length_is_exact_and_cuts_do_not_matter(
    from_hz: int, to_hz: int, count: int, cuts: list[int], channels: int, dtype: Any
) -> None:
    random = np.random.default_rng(count)
    x = (random.standard_normal((count, channels)) * (3000 if dtype == "int16" else 0.1)).astype(dtype)
    x = x[:, 0].copy() if channels == 1 else x
    resampler = Resampler(from_hz, to_hz, channels=channels, dtype=dtype)
    whole = resampler.process(x, last=True)
    parts, at = [], 0
    for cut in cuts:
        parts.append(resampler.process(x[at : at + cut]))
        at += cut
    parts.append(resampler.process(x[at:], last=True))

    assert len(whole) == (2 * count * to_hz + from_hz) // (2 * from_hz)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert whole.dtype == x.dtype


def test_one_call_is_in_time_with_its_input() -> None:
    x = speech(NEAR, 16000, 2.0)
    there = resample(x, 16000, 48000)
    back = resample(there, 48000, 16000)

    assert len(there) == 3 * len(x)
    error = back - resample(resample(x, 16000, 32000), 32000, 16000)
    assert np.abs(error).max() < 1e-3


def test_equal_rates_change_nothing() -> None:
    x = speech(NEAR, 16000, 0.5)

    np.testing.assert_array_equal(resample(x, 16000, 16000), x)


def test_int16_saturates() -> None:
    square = np.where(sine(400, 16000, 0.1) > 0, 32767, -32768).astype(np.int16)
    out = resample(square, 16000, 48000)

    assert out.dtype == np.int16
    assert (out.max(), out.min()) == (32767, -32768)
    assert np.abs(np.diff(out[100:-100].astype(int))).max() < 40000  # wrapping would jump by 65535


@pytest.mark.quality
def test_a_ratio_that_slews_makes_no_click() -> None:
    """+-1000 ppm over a tone: the second difference of what comes out never leaves that of a tone."""
    resampler = Resampler(48000, 48000)
    tone = sine(1000, 48000, 2.0)
    parts = []
    for index, at in enumerate(range(0, len(tone), 480)):
        resampler.set_ratio(1.0 + 0.001 * np.sin(index / 15))
        parts.append(resampler.process(tone[at : at + 480]))
    out = np.concatenate(parts)[2000:-100].astype(float)

    assert abs(len(np.concatenate(parts)) - len(tone)) < 200
    assert np.abs(np.diff(out, 2)).max() < 1.02 * (2 * np.pi * 1000 / 48000) ** 2


@pytest.mark.quality
def test_a_ratio_that_is_off_is_followed_purely() -> None:
    resampler = Resampler(48000, 48000)
    resampler.set_ratio(1.0005)
    out = np.concatenate([resampler.process(block) for block in sine(1000, 48000, 2.0).reshape(-1, 480)])
    _, sinad_db = fit(out[4800:], 1000 / 1.0005, 48000)

    assert len(out) == pytest.approx(96000 * 1.0005, abs=60)
    assert sinad_db >= 100.0


def test_reset_begins_a_new_stream() -> None:
    resampler = Resampler(44100, 48000)
    x = speech(NEAR, 16000, 0.3)
    first = resampler.process(x)
    resampler.reset()

    np.testing.assert_array_equal(resampler.process(x), first)


def test_out_takes_the_result() -> None:
    resampler = Resampler(48000, 16000, channels=2)
    out = np.empty((160, 2), np.float32)

    assert np.shares_memory(resampler.process(np.zeros((480, 2), np.float32), out=out), out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"from_hz": 0, "to_hz": 48000}, "from 8000 to 192000"),
        ({"from_hz": 48000, "to_hz": -1}, "from 8000 to 192000"),
        ({"from_hz": 48000, "to_hz": 384000}, "from 8000 to 192000"),
        ({"from_hz": 48000, "to_hz": 16000, "channels": 9}, "channels must be from 1 to 8"),
        ({"from_hz": 48000, "to_hz": 16000, "channels": 0}, "channels must be from 1 to 8"),
        ({"from_hz": 48000, "to_hz": 16000, "quality": "best"}, "'voice', 'mastering' or 'fast'"),
    ],
)
def test_bad_settings_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Resampler(**arguments)


def test_bad_input_is_refused() -> None:
    resampler = Resampler(48000, 16000)
    with pytest.raises(TypeError, match="dtype must be float32 or int16"):
        Resampler(48000, 16000, dtype="float64")
    with pytest.raises(TypeError, match="float32, not an array of int16"):
        resampler.process(np.zeros(480, np.int16))  # type: ignore[type-var]
    with pytest.raises(ValueError, match=r"shape \(n,\)"):
        resampler.process(np.zeros((480, 2), np.float32))
    with pytest.raises(ValueError, match="160 samples"):
        resampler.process(np.zeros(480, np.float32), out=np.zeros(100, np.float32))
    with pytest.raises(ValueError, match="within 5 %"):
        resampler.set_ratio(0.5)
    with pytest.raises(ValueError, match="shape"):
        resample(np.zeros((2, 2, 2), np.float32), 48000, 16000)
