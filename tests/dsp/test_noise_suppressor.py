"""The noise suppressor on real speech in noise, and beside the framework that trained it."""

from __future__ import annotations

import struct
import zlib
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rooms import FAR, NEAR, gain_db, level_db, si_sdr_db, speech
from scipy.signal import lfilter

from spike_engine import _core, dsp
from spike_engine.dsp import NoiseSuppressor, NoiseSuppressorBank
from spike_engine.dsp.noise import RECOGNISER_ATTENUATION_DB

RATE_HZ = 16000
REFERENCE = Path(__file__).parent / "data" / "noise_reference.npz"
Samples = Any


def suppressed(suppressor: NoiseSuppressor, noisy: Samples) -> Samples:
    out = suppressor.process(np.concatenate([noisy, np.zeros(suppressor.latency_samples, np.float32)]))
    return out[suppressor.latency_samples :]


def white(count: int, level_dbfs: float, seed: int = 2) -> Samples:
    return (10 ** (level_dbfs / 20) * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def fan(count: int, level_dbfs: float) -> Samples:
    noise = lfilter([1.0], [1.0, -0.9], white(count, 0.0)).astype(np.float32)
    return (noise * (10 ** (level_dbfs / 20) / noise.std())).astype(np.float32)


def weights_file() -> bytes:
    return (resources.files("spike_engine") / "weights" / "noise.spkw").read_bytes()


def test_the_core_agrees_with_the_framework_that_trained_the_network() -> None:
    reference = np.load(REFERENCE)
    suppressor = NoiseSuppressor(48000)
    cleaned = suppressor.process(reference["samples"].astype(np.float32) / 32768)
    error = cleaned - reference["cleaned"]

    assert level_db(error) <= level_db(reference["cleaned"]) - 49.8
    assert suppressor.speech_probability == pytest.approx(reference["voice"][-1], abs=0.01)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000, 32000, 44100, 48000])
def test_what_comes_out_is_late_by_the_latency(rate_hz: int) -> None:
    suppressor = NoiseSuppressor(rate_hz, attenuation_db=0.0)
    noise = white(rate_hz, -30)
    out = suppressor.process(noise)
    late = suppressor.latency_samples

    assert late == 2 * rate_hz // 100
    np.testing.assert_allclose(out[late:], noise[: len(out) - late], atol=2e-5)


@pytest.mark.quality
@pytest.mark.parametrize("rate_hz", [16000, 48000])
@pytest.mark.parametrize("snr_db", [0.0, 5.0, 15.0])
def test_speech_in_noise_gets_clearer(rate_hz: int, snr_db: float) -> None:
    clean = 0.4 * speech(NEAR, rate_hz, 8.0)
    noisy = clean + fan(len(clean), level_db(clean) - snr_db)
    out = suppressed(NoiseSuppressor(rate_hz), noisy)
    part = slice(rate_hz, 7 * rate_hz)

    least_db = {0.0: 4.5, 5.0: 3.5, 15.0: 0.2}[snr_db]
    assert si_sdr_db(out[part], clean[part]) >= si_sdr_db(noisy[part], clean[part]) + least_db


@pytest.mark.quality
@pytest.mark.parametrize("rate_hz", [16000, 44100, 48000])
def test_noise_alone_is_taken_away(rate_hz: int) -> None:
    noise = fan(4 * rate_hz, -35)
    out = suppressed(NoiseSuppressor(rate_hz), noise)

    assert level_db(noise[rate_hz:]) - level_db(out[rate_hz:]) >= 25.0


@pytest.mark.quality
@pytest.mark.parametrize("rate_hz", [16000, 48000])
@pytest.mark.parametrize("names", [NEAR, FAR])
def test_clean_speech_passes(rate_hz: int, names: tuple[str, ...]) -> None:
    clean = 0.4 * speech(names, rate_hz, 8.0)
    out = suppressed(NoiseSuppressor(rate_hz), clean)
    part = slice(rate_hz, 7 * rate_hz)

    assert gain_db(out[part], clean[part]) == pytest.approx(0.0, abs=0.5)
    assert si_sdr_db(out[part], clean[part]) >= 15.0


@pytest.mark.quality
def test_speech_probability_tells_speech_from_noise() -> None:
    suppressor = NoiseSuppressor(RATE_HZ)
    suppressor.process(fan(2 * RATE_HZ, -45))
    in_noise = suppressor.speech_probability
    voice = 0.4 * speech(NEAR, RATE_HZ, 3.0) + fan(3 * RATE_HZ, -45)
    probabilities = []
    for at in range(0, 3 * RATE_HZ, 160):
        suppressor.process(voice[at : at + 160])
        probabilities.append(suppressor.speech_probability)

    assert in_noise < 0.3
    assert max(probabilities) > 0.9


@pytest.mark.quality
@pytest.mark.parametrize("attenuation_db", [6.0, 12.0, 20.0])
@pytest.mark.parametrize("mode", ["neural", "classical"])
def test_noise_goes_down_by_what_was_asked_and_no_further(mode: Any, attenuation_db: float) -> None:
    noise = white(4 * RATE_HZ, -40)
    out = suppressed(NoiseSuppressor(RATE_HZ, mode=mode, attenuation_db=attenuation_db), noise)
    settled = slice(2 * RATE_HZ, 4 * RATE_HZ - RATE_HZ // 10)

    lowered_db = level_db(noise[settled]) - level_db(out[settled])
    assert attenuation_db - 3.0 <= lowered_db <= attenuation_db + 0.5


@pytest.mark.quality
def test_the_classical_mode_follows_steady_noise() -> None:
    clean = 0.4 * speech(NEAR, RATE_HZ, 8.0)
    noisy = clean + white(len(clean), level_db(clean) - 5.0)
    out = suppressed(NoiseSuppressor(RATE_HZ, mode="classical"), noisy)
    part = slice(RATE_HZ, 7 * RATE_HZ)

    assert si_sdr_db(out[part], clean[part]) >= si_sdr_db(noisy[part], clean[part]) + 2.0
    assert gain_db(out[part], clean[part]) >= -1.5


def test_the_attenuation_changes_while_samples_flow_without_a_click() -> None:
    suppressor = NoiseSuppressor(RATE_HZ, attenuation_db=0.0)
    hum = 0.1 * np.sin(2 * np.pi * 100 * np.arange(RATE_HZ) / RATE_HZ).astype(np.float32)
    first = suppressor.process(hum)
    suppressor.attenuation_db = 40.0
    second = suppressor.process(hum)
    steps = np.abs(np.diff(np.concatenate([first, second])[RATE_HZ // 2 :]))

    assert suppressor.attenuation_db == 40.0
    assert steps.max() <= 1.2 * np.abs(np.diff(hum)).max()
    assert level_db(second[RATE_HZ // 2 :]) < level_db(first[RATE_HZ // 2 :]) - 3.0


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 1000), min_size=1, max_size=12))
def test_how_a_stream_is_cut_changes_nothing(cuts: list[int]) -> None:
    noise = white(sum(cuts), -30)
    whole = NoiseSuppressor(RATE_HZ).process(noise)
    suppressor = NoiseSuppressor(RATE_HZ)
    parts = np.split(noise, np.cumsum(cuts)[:-1])

    np.testing.assert_array_equal(np.concatenate([suppressor.process(part) for part in parts]), whole)


@pytest.mark.quality
def test_the_recogniser_mode_mixes_some_of_the_input_back() -> None:
    voice = 0.4 * speech(NEAR, RATE_HZ, 4.0)
    noisy = voice + fan(len(voice), level_db(voice) - 5.0)
    whole = suppressed(NoiseSuppressor(RATE_HZ, mode="recogniser", attenuation_db=60.0), noisy)
    for_recogniser = suppressed(NoiseSuppressor(RATE_HZ, mode="recogniser"), noisy)
    share = 10 ** (-RECOGNISER_ATTENUATION_DB / 20)

    assert level_db(for_recogniser - share * noisy - (1 - share) * whole) <= level_db(noisy) - 45.0
    pipeline = dsp.CapturePipeline(RATE_HZ, echo_cancellation=False, noise_suppression="recogniser")
    late = pipeline.latency_samples
    sent = pipeline.process(np.concatenate([noisy, np.zeros(late, np.float32)]), None)[late:]
    assert level_db((sent - for_recogniser)[RATE_HZ:]) <= level_db(for_recogniser) - 6.0  # less what its high-pass cuts


@pytest.mark.parametrize("streams", [2, 6, 15, 16, 17, 22, 23, 35])
def test_a_bank_of_any_size_gives_each_stream_what_it_gets_alone(streams: int) -> None:
    random = np.random.default_rng(streams)
    samples = (0.1 * random.standard_normal((streams, 1600))).astype(np.float32)
    bank = NoiseSuppressorBank(streams, RATE_HZ)
    cleaned = bank.process(samples)

    for row, heard in zip(cleaned, samples, strict=True):
        np.testing.assert_array_equal(row, NoiseSuppressor(RATE_HZ).process(heard))
    bank.reset()
    np.testing.assert_array_equal(bank.process(samples), cleaned)


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
@pytest.mark.parametrize("mode", ["neural", "classical"])
def test_a_bank_gives_each_stream_what_it_gets_alone(mode: Any, dtype: type) -> None:
    streams = 0.2 * np.stack([speech(NEAR, RATE_HZ, 1.0), white(RATE_HZ, -10), *np.zeros((3, RATE_HZ), np.float32)])
    streams = (streams * (32767 if dtype is np.int16 else 1)).astype(dtype)
    bank = NoiseSuppressorBank(5, RATE_HZ, mode=mode)
    cleaned = np.concatenate([bank.process(streams[:, at : at + 250]) for at in range(0, RATE_HZ, 250)], axis=1)

    assert bank.latency_samples == NoiseSuppressor(RATE_HZ, mode=mode).latency_samples
    for row, probability, samples in zip(cleaned, bank.speech_probability, streams, strict=True):
        alone = NoiseSuppressor(RATE_HZ, mode=mode)
        np.testing.assert_array_equal(row, alone.process(samples))
        assert probability == alone.speech_probability
    bank.reset()
    bank.attenuation_db = 20.0
    assert bank.attenuation_db == 20.0
    with pytest.raises(ValueError, match=r"shape \(5, n\)"):
        bank.process(streams[:4])


def test_a_bank_fills_the_array_that_it_is_given() -> None:
    noise = np.stack([white(RATE_HZ, -30), white(RATE_HZ, -20)])
    given = np.empty_like(noise)
    returned = NoiseSuppressorBank(2, RATE_HZ).process(noise, out=given)

    np.testing.assert_array_equal(given, NoiseSuppressorBank(2, RATE_HZ).process(noise))
    assert np.shares_memory(returned, given)
    with pytest.raises(ValueError, match=rf"shape \(2, {RATE_HZ}\)"):
        NoiseSuppressorBank(2, RATE_HZ).process(noise, out=given[:, :-1].copy())


def test_what_is_no_number_counts_as_silence_and_leaves_no_trace() -> None:
    suppressor = NoiseSuppressor(RATE_HZ)
    bad = white(RATE_HZ, -30)
    bad[4000:4100] = np.nan
    bad[5000] = np.inf
    out = suppressor.process(bad)

    assert np.isfinite(out).all()
    assert np.isfinite(suppressor.process(white(RATE_HZ, -30))).all()


@pytest.mark.parametrize("level", [0.0, 0.5, 1e-20])
def test_nothing_and_direct_current_stay_quiet(level: float) -> None:
    out = NoiseSuppressor(RATE_HZ).process(np.full(2 * RATE_HZ, level, np.float32))

    assert np.isfinite(out).all()
    assert np.abs(out[RATE_HZ:]).max() <= level + 1e-6


@pytest.mark.parametrize("number", [np.nan, np.inf, -1e5])
def test_weights_that_are_no_numbers_are_refused(number: float) -> None:
    file = bytearray(weights_file())
    (count,) = struct.unpack_from("<I", file, 16)
    tensors = [struct.unpack_from("<32s4I", file, 20 + 48 * index) for index in range(count)]
    name, begin = next((name, begin) for name, kind, _, _, begin in tensors if kind == 0)
    struct.pack_into("<f", file, begin, number)
    struct.pack_into("<I", file, 12, zlib.crc32(file[16:]))

    with pytest.raises(dsp.WeightsError, match=rf"holds numbers in '{name.rstrip(bytes(1)).decode()}' that are none"):
        _core.Weights(bytes(file), "some.spkw")


def test_damaged_weights_are_refused_by_name_and_checksum() -> None:
    file = bytearray(weights_file())
    file[5000] ^= 4
    with pytest.raises(dsp.WeightsError, match=r"^some\.spkw is damaged: its CRC-32 is [0-9a-f]{8}, it should be"):
        _core.Weights(bytes(file), "some.spkw")
    with pytest.raises(dsp.WeightsError, match="no file of weights"):
        _core.Weights(b"", "some.spkw")
    assert issubclass(dsp.WeightsError, ValueError)


def test_the_file_of_weights_is_small_and_names_itself() -> None:
    weights = _core.Weights(weights_file(), "noise.spkw")

    assert weights.name == "noise.spkw"
    assert weights.checksum == int.from_bytes(weights_file()[12:16], "little")
    assert len(weights_file()) <= 2_000_000


def test_the_mode_says_what_runs() -> None:
    assert NoiseSuppressor(RATE_HZ).mode == "neural"
    assert NoiseSuppressor(RATE_HZ, mode="classical").mode == "classical"
    assert NoiseSuppressor(RATE_HZ).attenuation_db == 60.0
    assert NoiseSuppressor(RATE_HZ, mode="recogniser").attenuation_db == RECOGNISER_ATTENUATION_DB
    assert NoiseSuppressor(RATE_HZ, mode="recogniser", attenuation_db=9.0).attenuation_db == 9.0
    assert NoiseSuppressor(RATE_HZ, mode="classical").attenuation_db == 12.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_rate_hz": 7999}, "from 8000 to 48000"),
        ({"sample_rate_hz": 96000}, "from 8000 to 48000"),
        ({"attenuation_db": -1.0}, "from 0 to 60"),
        ({"attenuation_db": float("nan")}, "from 0 to 60"),
        ({"mode": "magic"}, "'neural', 'recogniser' or 'classical'"),
    ],
)
def test_bad_settings_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NoiseSuppressor(**arguments)
    with pytest.raises(ValueError, match=message):
        NoiseSuppressorBank(2, **arguments)


@pytest.mark.parametrize("streams", [0, 5000])
def test_a_bank_refuses_a_number_of_streams_that_it_cannot_serve(streams: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 4096"):
        NoiseSuppressorBank(streams)
