"""Gain control: speech to one loudness within two seconds, no pumping, no noise raised, nothing clipped."""

from __future__ import annotations

import numpy as np
import pytest
from rooms import FAR, NEAR, Samples, echo_of, impulse_response, level_db, speech

from spike_engine import dsp

RATE_HZ = 16000
TARGET_DBFS = -23.0


def active_level_db(samples: Samples) -> float:
    """The mean power of what is within 30 dB of the loudest 20 ms."""
    blocks = samples[: len(samples) // 320 * 320].reshape(-1, 320).astype(float)
    powers = np.square(blocks).mean(axis=1)
    return float(10 * np.log10(powers[powers > 1e-3 * powers.max()].mean() + 1e-12))


def voice(level_dbfs: float, seconds: float, names: tuple[str, ...] = NEAR) -> Samples:
    samples = speech(names, RATE_HZ, seconds)
    return (samples * 10 ** ((level_dbfs - active_level_db(samples)) / 20)).astype(np.float32)


def seconds(first: float, last: float) -> slice:
    return slice(int(first * RATE_HZ), int(last * RATE_HZ))


@pytest.mark.parametrize("names", [NEAR, FAR])
@pytest.mark.parametrize("level_dbfs", [-50, -35, -23, -15, -8])
def test_speech_of_any_level_comes_to_the_target_within_two_seconds(names: tuple[str, ...], level_dbfs: float) -> None:
    samples = voice(level_dbfs, 12.0, names)
    out = dsp.GainControl(RATE_HZ).process(samples)

    wanted = voice(TARGET_DBFS, 12.0, names)
    for part, most_db in ((seconds(2, 4), 5.0), (seconds(5, 12), 2.5)):
        assert abs(active_level_db(out[part]) - active_level_db(wanted[part])) < most_db


@pytest.mark.parametrize("step_db", [20, -20])
def test_another_talker_is_levelled_within_two_seconds_of_speech(step_db: float) -> None:
    samples = voice(-25, 16.0)
    samples[8 * RATE_HZ :] *= 10 ** (step_db / 20)
    out = dsp.GainControl(RATE_HZ).process(samples)

    assert active_level_db(out[seconds(11, 14)]) == pytest.approx(TARGET_DBFS, abs=4.0)


@pytest.mark.parametrize("names", [NEAR, FAR])
def test_the_gain_does_not_pump(names: tuple[str, ...]) -> None:
    """For one talker it moves by less than 2 dB a second, and 5 dB in all."""
    leveller, gains = dsp.GainControl(RATE_HZ), []
    for frame in voice(-35, 20.0, names).reshape(-1, RATE_HZ // 100):
        leveller.process(frame)
        gains.append(leveller.gain_db)
    steady = np.array(gains[400:])

    assert np.ptp(steady) < 5.0
    assert np.abs(steady[100:] - steady[:-100]).max() < 2.5


def test_noise_in_a_pause_is_not_raised() -> None:
    random = np.random.default_rng(2)
    samples = voice(-45, 16.0)
    samples[10 * RATE_HZ :] = 0.0
    samples += 10 ** (-65 / 20) * random.standard_normal(len(samples)).astype(np.float32)
    leveller = dsp.GainControl(RATE_HZ)
    out = leveller.process(samples)

    assert leveller.gain_db > 12.0
    assert abs(level_db(out[seconds(11, 16)]) - level_db(samples[seconds(11, 16)])) < 0.5


def test_noise_alone_gets_no_gain() -> None:
    noise = (0.003 * np.random.default_rng(2).standard_normal(10 * RATE_HZ)).astype(np.float32)
    out = dsp.GainControl(RATE_HZ).process(noise)

    assert abs(level_db(out) - level_db(noise)) < 1.0


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_nothing_clips(dtype: type) -> None:
    """A whisper, then a shout, a click, full-scale noise and samples beyond full scale."""
    random = np.random.default_rng(3)
    samples = np.concatenate([voice(-45, 5.0), voice(-6, 3.0), np.zeros(100), random.uniform(-1, 1, 8000)])
    samples[RATE_HZ * 2] = samples[-8050] = 1.0
    if dtype == np.float32:
        samples[-500:] *= 8.0
        out = dsp.GainControl(RATE_HZ).process(samples.astype(np.float32))
    else:
        out = dsp.GainControl(RATE_HZ).process((32767 * np.clip(samples, -1, 1)).astype(np.int16)) / 32768.0

    assert np.abs(out).max() <= 0.9 + 1e-4


def test_loud_speech_is_lowered_without_a_change_of_its_shape() -> None:
    samples = voice(-12, 10.0)
    out = dsp.GainControl(RATE_HZ).process(samples)
    later = seconds(4, 10)
    gain = out[later] @ samples[later] / (samples[later] @ samples[later])

    assert level_db(out[later] - gain * samples[later]) < level_db(out[later]) - 20.0


def test_settings_are_heeded() -> None:
    quiet = voice(-45, 8.0)
    low = dsp.GainControl(RATE_HZ, target_dbfs=-33.0)
    out = low.process(quiet)
    assert active_level_db(out[seconds(4, 8)]) == pytest.approx(-33.0, abs=3.0)
    bounded = dsp.GainControl(RATE_HZ, max_gain_db=6.0)
    bounded.process(quiet)
    assert bounded.gain_db == pytest.approx(6.0, abs=0.1)


def test_in_the_chain_what_is_left_of_the_echo_gets_no_gain() -> None:
    far = 0.5 * speech(FAR, RATE_HZ, 12.0)
    mic = echo_of(far, impulse_response(RATE_HZ, 0.3, 60, -10.0, seed=1))
    near = voice(-40, 4.0)
    mic[: len(near)] += near  # what the gain is learned on
    far[: len(near)] = mic[: len(near)] * 0
    plain = dsp.CapturePipeline(RATE_HZ).process(mic, far)
    chain = dsp.CapturePipeline(RATE_HZ, gain_control=True)
    levelled = chain.process(mic, far)

    assert chain.stats.gain_db > 8.0
    alone = seconds(6, 12)
    assert level_db(levelled[alone]) < level_db(plain[alone]) + 1.0


def test_in_the_chain_the_voice_is_levelled() -> None:
    chain = dsp.CapturePipeline(RATE_HZ, gain_control=True)
    out = chain.process(voice(-40, 10.0), None)

    assert active_level_db(out[seconds(3, 10)]) == pytest.approx(TARGET_DBFS, abs=3.0)
    assert chain.stats.gain_db == pytest.approx(17.0, abs=4.0)


def test_switched_off_the_chain_is_as_it_was() -> None:
    samples = voice(-40, 2.0)
    off = dsp.CapturePipeline(RATE_HZ, gain_control=False)
    np.testing.assert_array_equal(off.process(samples, None), dsp.CapturePipeline(RATE_HZ).process(samples, None))
    assert off.stats.gain_db == 0.0
