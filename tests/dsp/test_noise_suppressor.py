"""The noise suppressor on real speech in noise."""

from __future__ import annotations

import numpy as np
import pytest
from rooms import NEAR, gain_db, level_db, si_sdr_db, speech

from spike_engine.dsp import NoiseSuppressor

RATE_HZ = 16000


def suppressed(suppressor: NoiseSuppressor, noisy: np.ndarray) -> np.ndarray:
    out = suppressor.process(noisy)
    return np.concatenate([out[suppressor.latency_samples :], np.zeros(suppressor.latency_samples, np.float32)])


def white(count: int, level_dbfs: float) -> np.ndarray:
    return (10 ** (level_dbfs / 20) * np.random.default_rng(2).standard_normal(count)).astype(np.float32)


@pytest.mark.quality
@pytest.mark.parametrize("attenuation_db", [6.0, 12.0, 20.0])
def test_noise_alone_goes_down_by_what_was_asked(attenuation_db: float) -> None:
    noise = white(4 * RATE_HZ, -40)
    out = suppressed(NoiseSuppressor(RATE_HZ, attenuation_db=attenuation_db), noise)
    settled = slice(2 * RATE_HZ, 4 * RATE_HZ - RATE_HZ // 10)

    lowered_db = level_db(noise[settled]) - level_db(out[settled])
    assert attenuation_db - 3.0 <= lowered_db <= attenuation_db + 0.5


@pytest.mark.quality
@pytest.mark.parametrize("snr_db", [5.0, 15.0])
def test_speech_in_noise_gets_clearer(snr_db: float) -> None:
    clean = 0.4 * speech(NEAR, RATE_HZ, 8.0)
    noisy = clean + white(len(clean), level_db(clean) - snr_db)
    out = suppressed(NoiseSuppressor(RATE_HZ), noisy)
    part = slice(RATE_HZ, 7 * RATE_HZ)

    assert si_sdr_db(out[part], clean[part]) >= si_sdr_db(noisy[part], clean[part]) + 2.0
    assert gain_db(out[part], clean[part]) >= -1.5


@pytest.mark.quality
def test_clean_speech_passes() -> None:
    clean = 0.4 * speech(NEAR, RATE_HZ, 8.0)
    out = suppressed(NoiseSuppressor(RATE_HZ), clean)
    part = slice(RATE_HZ, 7 * RATE_HZ)

    assert gain_db(out[part], clean[part]) == pytest.approx(0.0, abs=0.5)
    assert si_sdr_db(out[part], clean[part]) >= 15.0


@pytest.mark.quality
def test_speech_probability_tells_speech_from_noise() -> None:
    suppressor = NoiseSuppressor(RATE_HZ)
    suppressor.process(white(2 * RATE_HZ, -50))
    in_noise = suppressor.speech_probability
    voice = speech(NEAR, RATE_HZ, 3.0) + white(3 * RATE_HZ, -50)
    probabilities = []
    for at in range(0, 3 * RATE_HZ, 160):
        suppressor.process(voice[at : at + 160])
        probabilities.append(suppressor.speech_probability)

    assert in_noise < 0.3
    assert max(probabilities) > 0.6


def test_the_attenuation_changes_while_samples_flow() -> None:
    suppressor = NoiseSuppressor(RATE_HZ, attenuation_db=0.0)
    noise = white(6 * RATE_HZ, -40)
    first = suppressor.process(noise[: 3 * RATE_HZ])
    suppressor.attenuation_db = 20.0
    second = suppressor.process(noise[3 * RATE_HZ :])

    assert suppressor.attenuation_db == 20.0
    assert level_db(first[RATE_HZ:]) - level_db(second[RATE_HZ:]) > 15.0


def test_the_mode_says_what_runs() -> None:
    assert NoiseSuppressor(RATE_HZ).mode == "log-mmse"
    assert NoiseSuppressor(RATE_HZ, mode="log-mmse").mode == "log-mmse"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_rate_hz": 7999}, "multiple of 100 from 8000 to 48000"),
        ({"sample_rate_hz": 96000}, "multiple of 100 from 8000 to 48000"),
        ({"attenuation_db": -1.0}, "from 0 to 60"),
        ({"attenuation_db": float("nan")}, "from 0 to 60"),
        ({"mode": "magic"}, "'neural' or 'log-mmse'"),
    ],
)
def test_bad_settings_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NoiseSuppressor(**arguments)
