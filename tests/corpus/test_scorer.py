"""The scorer's figures beside the truth, in mixtures that are made here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from echo_scenarios import talk
from rooms import FAR, NEAR, echo_of, impulse_response, speech
from scipy.signal import firwin, lfilter

from spike_engine.corpus import Scorer

RATE_HZ, SECONDS = 16000, 6.0
VOICES = (NEAR, FAR, FAR[1:2])
Samples = Any


def scores_of(clips: list[Samples]) -> dict[str, Any]:
    return Scorer(rate_hz=RATE_HZ)({"audio": [clip.astype(np.float32) for clip in clips]})


def sounding(voice: Samples) -> Samples:
    """Which frames of 10 ms are within 40 dB of the loudest."""
    power = np.square(voice[: len(voice) // 160 * 160].reshape(-1, 160)).mean(axis=1)
    return power > 1e-4 * power.max()


def voice_of(names: tuple[str, ...]) -> Samples:
    """With -26 dBFS where it sounds."""
    voice = speech(names, RATE_HZ, SECONDS)
    frames = voice[: len(voice) // 160 * 160].reshape(-1, 160)
    return voice * (0.05 / np.sqrt(np.square(frames[sounding(voice)]).mean()))


def noise_of(kind: str, samples: int) -> Samples:
    noise = np.random.default_rng(3).standard_normal(samples)
    if kind == "fan":
        noise = lfilter([1.0], [1.0, -0.95], noise)
    if kind == "babble":
        noise = sum(np.roll(speech(names, RATE_HZ, SECONDS), 7919 * (2 * i + 1)) for i, names in enumerate(VOICES * 3))
    return noise / np.sqrt(np.square(noise).mean())


@pytest.mark.quality
@pytest.mark.parametrize(
    ("kind", "snr_db", "within_db"),
    [("white", -5, 2), ("fan", 0, 2), ("white", 10, 2), ("babble", 10, 3), ("fan", 20, 3), ("white", 30, 3)],
)
def test_ratio_share_and_level_are_those_that_were_mixed(kind: str, snr_db: float, within_db: float) -> None:
    voices = [voice_of(names) for names in VOICES]
    noises = [0.05 * 10 ** (-snr_db / 20) * noise_of(kind, len(voice)) for voice in voices]
    scores = scores_of([voice + noise for voice, noise in zip(voices, noises, strict=True)])
    both_dbfs = -26 + 10 * np.log10(1 + 10 ** (-snr_db / 10))

    np.testing.assert_allclose(scores["snr_db"], snr_db, atol=within_db)
    np.testing.assert_allclose(scores["speech_share"], [sounding(voice).mean() for voice in voices], atol=0.12)
    np.testing.assert_allclose(scores["speech_level_dbfs"], both_dbfs, atol=1.5)


def clarity_db_of(response: Samples) -> float:
    """ISO 3382-1: the first 50 ms against all that comes later."""
    energy = np.square(response[int(np.argmax(np.abs(response))) :])
    early = RATE_HZ // 20
    return float(10 * np.log10(energy[:early].sum() / energy[early:].sum()))


@pytest.mark.quality
@pytest.mark.parametrize("rt60_s", [0.2, 0.3, 0.45, 0.7])
def test_clarity_is_that_of_the_room(rt60_s: float) -> None:
    response = impulse_response(RATE_HZ, rt60_s, 0.0, 0.0, seed=2)
    clips = [echo_of(talk(voice, RATE_HZ, 8.0, seed=1), response) for voice in ("allison", "italian", "russian")]
    errors_db = scores_of(clips)["c50_db"] - min(30.0, clarity_db_of(response))

    assert np.abs(np.mean(errors_db)) < 4.0
    assert np.abs(errors_db).max() < 6.0


def test_clarity_is_not_told_where_nothing_tells_it() -> None:
    voice = voice_of(NEAR)
    dry, noisy, short, silent = scores_of(
        [voice, voice + 0.05 * noise_of("white", len(voice)), voice[: RATE_HZ // 4], 0 * voice]
    )["c50_db"]
    assert dry > 22
    assert np.isnan([noisy, short, silent]).all()


def test_bandwidth_is_that_of_the_filter() -> None:
    edges_hz = (2000, 3400, 7000)
    clips = [lfilter(firwin(401, edge_hz, fs=RATE_HZ), 1.0, speech(NEAR, RATE_HZ, SECONDS)) for edge_hz in edges_hz]

    np.testing.assert_allclose(scores_of(clips)["bandwidth_hz"], edges_hz, atol=60)


def test_clipped_samples_are_counted() -> None:
    voice = speech(NEAR, RATE_HZ, SECONDS)
    voice = voice / np.abs(voice).max()
    tops = (0.5, 0.3)
    clips = [0.7 * np.clip(voice, -top, top) for top in tops]

    np.testing.assert_allclose(
        scores_of(clips)["clipped_share"], [(np.abs(voice) >= top).mean() for top in tops], rtol=0.15
    )
