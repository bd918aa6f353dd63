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
RATES = st.one_of(st.sampled_from([8000, 11025, 16000, 44100, 48000, 192000]), st.integers(8000, 192000))


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


# What the documentation promises: ripple to 0.45 of the lower rate, SINAD there, rejection from 0.56 of it.
RIPPLES_DB = {"voice": 0.01, "fast": 0.01, "mastering": 1e-5}
SINADS_DB = {"voice": 125.0, "fast": 85.0, "mastering": 145.0}
REJECTIONS_DB = {"voice": 130.0, "fast": 85.0, "mastering": 150.0}
PROFILES = pytest.mark.parametrize("quality", RIPPLES_DB)
EVERY_RATIO = pytest.mark.parametrize(("from_hz", "to_hz"), [*PAIRS, (24000, 48000), (8000, 48000), (44100, 44123)])


@pytest.mark.quality
@PROFILES
@EVERY_RATIO
@pytest.mark.parametrize("share", [0.05, 0.25, 0.44, 0.45])
def test_a_tone_in_the_band_keeps_level_phase_and_purity(from_hz: int, to_hz: int, quality: Any, share: float) -> None:
    frequency_hz = share * min(from_hz, to_hz)
    tone, sinad_db = fit(resample(sine(frequency_hz, from_hz), from_hz, to_hz, quality), frequency_hz, to_hz)

    assert 20 * np.log10(abs(tone)) == pytest.approx(0.0, abs=RIPPLES_DB[quality])
    assert np.degrees(np.angle(tone)) == pytest.approx(0.0, abs=0.01)
    assert sinad_db >= SINADS_DB[quality]


@pytest.mark.quality
@PROFILES
@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [(48000, 16000), (48000, 24000), (48000, 8000), (96000, 44100), (44100, 16000)]
)
@pytest.mark.parametrize("share", [0.56, 0.57, 0.6, 0.73, 0.98])
def test_what_lies_above_the_band_is_gone(from_hz: int, to_hz: int, quality: Any, share: float) -> None:
    out = resample(sine(share * to_hz, from_hz), from_hz, to_hz, quality)
    middle = out[len(out) // 4 : 3 * len(out) // 4]

    assert np.abs(middle).max() <= 10 ** (
        -min(REJECTIONS_DB[quality], 146.0) / 20
    )  # a tone in float32 has noise from there on


@pytest.mark.quality
@PROFILES
@pytest.mark.parametrize(("from_hz", "to_hz"), [(16000, 48000), (8000, 48000), (24000, 48000)])
def test_the_filter_itself_rejects_as_much(from_hz: int, to_hz: int, quality: Any) -> None:
    impulse = np.zeros(4000, np.float32)
    impulse[2000] = 1.0
    response = np.abs(np.fft.rfft(resample(impulse, from_hz, to_hz, quality).astype(float)))
    from_edge = round(0.56 * len(impulse))  # bins of the lower rate

    assert 20 * np.log10(response[from_edge:].max() / response[0]) <= -REJECTIONS_DB[quality]


@pytest.mark.quality
@PROFILES
@EVERY_RATIO
def test_a_sweep_keeps_its_level_to_the_band_edge(from_hz: int, to_hz: int, quality: Any) -> None:
    seconds, edge_hz = 1.0, 0.45 * min(from_hz, to_hz)

    def sweep(rate_hz: int) -> np.ndarray:
        t = np.arange(int(rate_hz * seconds)) / rate_hz
        return np.sin(np.pi * edge_hz / seconds * t**2)

    out = resample(sweep(from_hz).astype(np.float32), from_hz, to_hz, quality)
    ends = to_hz // 50  # where a sweep begins and ends abruptly, there is more than its pitch

    assert np.abs(out - sweep(to_hz))[ends:-ends].max() < 1.2 * (10 ** (0.01 / 20) - 1)


@pytest.mark.quality
@PROFILES
@EVERY_RATIO
def test_many_tones_at_once_stay_apart(from_hz: int, to_hz: int, quality: Any) -> None:
    frequencies_hz = np.linspace(0.01, 0.44, 20) * min(from_hz, to_hz)
    x = sum(sine(f, from_hz, 2.0) for f in frequencies_hz) / 20
    out = resample(np.asarray(x, np.float32), from_hz, to_hz, quality)[to_hz // 2 : 3 * to_hz // 2].astype(float)
    spectrum = np.abs(np.fft.rfft(out * np.kaiser(len(out), 40)))
    far = np.min(np.abs(np.arange(len(spectrum))[:, None] - frequencies_hz[None, :]), axis=1) > 20

    assert 20 * np.log10(spectrum[far].max() / spectrum.max()) < max(-REJECTIONS_DB[quality], -140.0) + 10.0


@PROFILES
@EVERY_RATIO
def test_an_impulse_comes_out_symmetric_after_the_delay(from_hz: int, to_hz: int, quality: Any) -> None:
    resampler = Resampler(from_hz, to_hz, quality=quality)
    x = np.zeros(from_hz // 10, np.float32)
    at = from_hz // int(np.gcd(from_hz, to_hz)) * (int(np.gcd(from_hz, to_hz)) // 20)  # an output falls on it
    x[at] = 1.0
    out = resampler.process(x)
    peak = at * to_hz // from_hz + resampler.latency_samples
    side = min(peak, len(out) - 1 - peak, 200)

    assert int(np.argmax(out)) == peak
    np.testing.assert_allclose(out[peak + 1 : peak + side], out[peak - 1 : peak - side : -1], atol=2e-7)


@PROFILES
@pytest.mark.parametrize(("from_hz", "to_hz"), [*PAIRS, (44100, 44123), (192000, 8000)])
def test_the_delay_is_what_latency_says(from_hz: int, to_hz: int, quality: Any) -> None:
    resampler = Resampler(from_hz, to_hz, quality=quality)
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
    channels=st.integers(1, 8),
    dtype=st.sampled_from(["float32", "int16"]),
    quality=st.sampled_from([*RIPPLES_DB]),
)
@settings(max_examples=60, deadline=None)
def test_length_is_exact_and_cuts_do_not_matter(
    from_hz: int, to_hz: int, count: int, cuts: list[int], channels: int, dtype: Any, quality: Any
) -> None:
    random = np.random.default_rng(count)
    x = (random.standard_normal((count, channels)) * (3000 if dtype == "int16" else 0.1)).astype(dtype)
    x = x[:, 0].copy() if channels == 1 else x
    resampler = Resampler(from_hz, to_hz, channels=channels, dtype=dtype, quality=quality)
    whole = resampler.process(x, last=True)
    parts, at = [], 0
    for cut in cuts:
        parts.append(resampler.process(x[at : at + cut]))
        at += cut
    parts.append(resampler.process(x[at:], last=True))

    assert len(whole) == (2 * count * to_hz + from_hz) // (2 * from_hz)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert whole.dtype == x.dtype
    assert np.isfinite(whole).all()


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


def slewed(x: np.ndarray, deviation: float) -> np.ndarray:
    """`x` through a ratio that wanders between 1 - deviation and 1 + deviation, a new one every 10 ms."""
    resampler = Resampler(48000, 48000)
    parts = []
    for index, at in enumerate(range(0, len(x), 480)):
        resampler.set_ratio(1.0 + deviation * np.sin(index / 15))
        parts.append(resampler.process(x[at : at + 480]))
    return np.concatenate(parts)


@pytest.mark.quality
@pytest.mark.parametrize("deviation", [0.001, 0.05])
def test_a_ratio_that_slews_makes_no_click(deviation: float) -> None:
    """The second difference of what comes out never leaves that of the tone at its highest pitch."""
    out = slewed(sine(1000, 48000, 2.0), deviation)[2000:-100].astype(float)

    assert np.abs(np.diff(out, 2)).max() < 1.02 * (2 * np.pi * 1000 / 48000 * (1 + deviation)) ** 2


@pytest.mark.quality
def test_speech_through_a_slewing_ratio_keeps_its_silence() -> None:
    """A click has energy up to the band's edge, where this recording, made at 16 kHz, has none."""
    x = resample(speech(NEAR, 16000, 4.0), 16000, 48000)
    out = slewed(x, 0.01)[4800:-4800].astype(float)
    spectrum = np.abs(np.fft.rfft(out * np.kaiser(len(out), 20)))
    above = spectrum[len(out) * 10 // 48 :]

    assert 20 * np.log10(above.max() / spectrum.max()) < -100.0


@pytest.mark.quality
@pytest.mark.parametrize(("from_hz", "to_hz"), [(48000, 48000), (44100, 48000), (48000, 16000)])
@pytest.mark.parametrize("share", [0.02, 0.2, 0.44])
def test_a_ratio_that_is_off_is_followed_purely(from_hz: int, to_hz: int, share: float) -> None:
    resampler = Resampler(from_hz, to_hz)
    resampler.set_ratio(1.0005 * to_hz / from_hz)
    frequency_hz = share * min(from_hz, to_hz)
    blocks = sine(frequency_hz, from_hz, 2.0).reshape(-1, from_hz // 100)
    out = np.concatenate([resampler.process(block) for block in blocks])
    _, sinad_db = fit(out[to_hz // 10 :], frequency_hz / 1.0005, to_hz)

    assert len(out) == pytest.approx(2 * to_hz * 1.0005, abs=100)
    assert sinad_db >= 115.0
    assert resampler.latency_ms <= 5.0


def test_cuts_do_not_matter_to_a_ratio_that_varies() -> None:
    x = speech(NEAR, 16000, 1.0)
    whole, cut = Resampler(16000, 16000), Resampler(16000, 16000)
    for resampler in (whole, cut):
        resampler.set_ratio(1.003)
    parts = [cut.process(part) for part in np.split(x, [1, 1, 7, 500, 3000, 9001])]

    np.testing.assert_array_equal(np.concatenate(parts), whole.process(x))


def test_reset_begins_a_new_stream() -> None:
    resampler = Resampler(44100, 48000)
    x = speech(NEAR, 16000, 0.3)
    first = resampler.process(x)
    resampler.reset()

    np.testing.assert_array_equal(resampler.process(x), first)


def test_reset_goes_back_to_the_ratio_of_the_rates() -> None:
    resampler = Resampler(48000, 48000)
    resampler.set_ratio(1.04)
    resampler.process(sine(440, 48000))
    resampler.reset()

    assert len(resampler.process(sine(440, 48000))) == pytest.approx(48000, abs=1)


@pytest.mark.parametrize("dtype", ["float32", "int16"])
@pytest.mark.parametrize("planar", [False, True])
def test_any_strides_will_do(dtype: Any, planar: bool) -> None:
    random = np.random.default_rng(0)
    wide = (1000 * random.standard_normal((6, 1500))).astype(dtype)
    strided = wide[4::-2, ::3]  # three channels, backwards; every third sample
    expected = [resample(np.ascontiguousarray(row), 48000, 32000) for row in strided]
    resampler = Resampler(48000, 32000, channels=3, dtype=dtype, planar=planar)
    resampler.process(np.zeros((3, 0) if planar else (0, 3), dtype))
    out = np.zeros((333, 6), dtype).T[::2] if planar else np.zeros((333, 6), dtype)[:, ::2]
    made = resampler.process(strided if planar else strided.T, out=out)
    late = resampler.latency_samples

    assert made is out
    for channel, whole in enumerate(expected):
        np.testing.assert_array_equal((out if planar else out.T)[channel][late:], whole[: 333 - late])


def test_a_field_of_records_is_taken() -> None:
    records = np.zeros(480, np.dtype([("flag", "u1"), ("sample", "<f4")]))
    records["sample"] = sine(440, 48000, 0.01)

    np.testing.assert_array_equal(
        Resampler(48000, 16000).process(records["sample"]),
        Resampler(48000, 16000).process(records["sample"].copy()),
    )


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_counts_as_silence(poison: float) -> None:
    x, silent = sine(440, 48000, 0.1), sine(440, 48000, 0.1)
    x[1000], silent[1000] = poison, 0.0

    np.testing.assert_array_equal(resample(x, 48000, 16000), resample(silent, 48000, 16000))


def test_it_fades_into_denormal_numbers_and_out_again() -> None:
    fading = (sine(440, 48000, 0.2) * np.logspace(0, -44, 9600)).astype(np.float32)
    out = resample(fading, 48000, 16000)

    assert np.isfinite(out).all()
    assert not np.any((out != 0) & (np.abs(out) < np.finfo(np.float32).tiny))


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
    buffer = np.zeros(600, np.float32)
    with pytest.raises(ValueError, match="must not overlap"):
        resampler.process(buffer[:480], out=buffer[400:560])
    with pytest.raises(ValueError, match="writeable"):
        resampler.process(np.zeros(480, np.float32), out=np.broadcast_to(np.float32(0), 160))
    with pytest.raises(TypeError, match="must be a NumPy array of float32, not list"):
        resampler.process([0.0] * 480)  # type: ignore[type-var]
    with pytest.raises(TypeError, match="not an array of >f4"):
        resampler.process(np.zeros(480, ">f4"))
    with pytest.raises(ValueError, match=r"shape \(2, n\)"):
        Resampler(48000, 16000, channels=2, planar=True).process(np.zeros((480, 2), np.float32))
    with pytest.raises(ValueError, match="within 5 %"):
        resampler.set_ratio(0.5)
    with pytest.raises(ValueError, match="shape"):
        resample(np.zeros((2, 2, 2), np.float32), 48000, 16000)
