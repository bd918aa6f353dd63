"""The shapes of a mouth that speaks: from the phonemes where the voice tells them, else from the sound."""

# ruff: noqa: RUF001 (the phonetic alphabet has letters of its own)
from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from spike_engine.server.persona import MouthShape, Samples, Viseme

# The first letter of a phoneme in the International Phonetic Alphabet, by what the lips do.
_LETTERS: dict[MouthShape, str] = {
    "closed": "mpb",
    "lip": "fv",
    "puckered": "wuʊoʍ",
    "rounded": "ɔɹrɜɚʃʒ",
    "open": "aɑæʌɐɒ",
    "half": "ɛeəɪɨɘ",
    "tongue": "lðθɫ",
    "teeth": "iszjtdnkɡgŋhxɾʔc",
}
_SHAPES = {letter: shape for shape, letters in _LETTERS.items() for letter in letters}
_STRESS_MARKS = "ˈˌ"

_STEP_S = 0.04
_QUIET_DB = -30.0  # below the loud moments of the same speech
_LOUD_DB = -8.0
_HISS_HZ = 3500.0  # above it, fricatives have most of their energy and vowels hardly any
_DARK_HZ, _BRIGHT_HZ = 550.0, 1100.0  # where the middle of a vowel's spectrum lies: "oo" below, "ee" above


def visemes_of_phonemes(phonemes: Iterable[tuple[float, str]]) -> Iterator[Viseme]:
    """The shapes of phonemes, given as start in seconds and IPA; an empty one is a pause."""
    for start_s, phoneme in phonemes:
        letter = phoneme.lstrip(_STRESS_MARKS)[:1]
        yield Viseme(start_s, _SHAPES.get(letter, "half") if letter else "rest")


def visemes_of_sound(samples: Samples, rate_hz: int) -> Iterator[Viseme]:
    """The shapes that fit mono float32 `samples`, each when it begins: loud is open, dark is round, hiss is teeth."""
    step = max(1, int(_STEP_S * rate_hz))
    blocks = np.pad(samples, (0, -len(samples) % step)).reshape(-1, step)
    if not blocks.any():
        return
    power = np.square(np.abs(np.fft.rfft(blocks * np.hanning(step), axis=1)))
    hz = np.fft.rfftfreq(step, 1 / rate_hz)
    level_db = 10 * np.log10(power.sum(axis=1) + 1e-12)
    level_db -= np.percentile(level_db, 90)
    last: MouthShape = "rest"
    for index, (level, spectrum) in enumerate(zip(level_db, power, strict=True)):
        shape = _shape_of(float(level), spectrum, hz)
        if shape != last:
            yield Viseme(index * step / rate_hz, shape)
            last = shape


def _shape_of(level_db: float, power: NDArray[np.floating], hz: NDArray[np.floating]) -> MouthShape:
    if level_db < _QUIET_DB:
        return "rest"
    if power[hz > _HISS_HZ].sum() > power.sum() / 2:
        return "teeth"
    middle_hz = float((power * hz).sum() / power.sum())
    if middle_hz < _DARK_HZ:
        return "rounded" if level_db > _LOUD_DB else "puckered"
    if middle_hz > _BRIGHT_HZ:
        return "half"
    return "open" if level_db > _LOUD_DB else "half"
