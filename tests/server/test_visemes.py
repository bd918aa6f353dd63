# ruff: noqa: RUF001 (the phonetic alphabet has letters of its own)
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from spike_engine.server.persona import Viseme
from spike_engine.server.picture.visemes import visemes_of_phonemes, visemes_of_sound

RATE_HZ = 16_000


def tones(*hz: float, seconds: float = 0.3, level: float = 0.3) -> np.ndarray:
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (level * sum(np.sin(2 * np.pi * each * time_s) for each in hz) / len(hz)).astype(np.float32)


def test_a_shape_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"rest, closed, .*not 'wide'"):
        Viseme(0.0, "wide")  # type: ignore[arg-type]


def test_each_phoneme_has_the_shape_of_its_lips() -> None:
    weasel = [(0.0, "w"), (0.12, "ˈiː"), (0.25, "z"), (0.32, "əl"), (0.44, "")]

    visemes = list(visemes_of_phonemes(weasel))

    assert [viseme.shape for viseme in visemes] == ["puckered", "teeth", "teeth", "half", "rest"]
    assert [viseme.start_s for viseme in visemes] == [start_s for start_s, _ in weasel]
    others = ["m", "f", "ð", "ˌaʊ", "ɹ", "?"]
    shapes = [viseme.shape for viseme in visemes_of_phonemes((0.0, phoneme) for phoneme in others)]
    assert shapes == ["closed", "lip", "tongue", "open", "rounded", "half"]


def test_the_sound_alone_tells_a_vowel_from_a_hiss_and_from_a_pause() -> None:
    noise = np.random.default_rng(1).standard_normal(int(0.3 * RATE_HZ)).astype(np.float32)
    hiss = 0.2 * np.diff(noise, n=4, append=np.zeros(4, np.float32)) / 8
    silence = np.zeros(int(0.3 * RATE_HZ), np.float32)
    parts = [tones(300), tones(600, 900), tones(400, 2400), hiss, silence]

    visemes = list(visemes_of_sound(np.concatenate(parts), RATE_HZ))

    at = {shape: [v.start_s for v in visemes if v.shape == shape] for shape in {v.shape for v in visemes}}
    assert at["rounded"] == [0.0]
    assert at["open"] == pytest.approx([0.3], abs=0.05)
    assert at["half"] == pytest.approx([0.6], abs=0.05)
    assert at["teeth"] == pytest.approx([0.9], abs=0.05)
    assert at["rest"] == pytest.approx([1.2], abs=0.05)


def test_silence_moves_no_lips() -> None:
    assert list(visemes_of_sound(np.zeros(1000, np.float32), RATE_HZ)) == []
    assert list(visemes_of_sound(np.zeros(0, np.float32), RATE_HZ)) == []


def test_recorded_speech_moves_them_all_the_time(recording: Callable[[str], np.ndarray]) -> None:
    sound = (recording("something-terribly-wrong") / 32768).astype(np.float32)

    visemes = list(visemes_of_sound(sound, RATE_HZ))

    assert len(visemes) > 3 * len(sound) / RATE_HZ
    assert len({viseme.shape for viseme in visemes}) >= 4
