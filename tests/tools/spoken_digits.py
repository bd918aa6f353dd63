"""Recorded digits, and what a recogniser that knows nothing else hears of them: words that can be counted."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocket_sphinx import words_heard
from rooms import recording

from spike_engine import dsp

RATE_HZ = 16000
PAUSE_S = 0.12
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]

Samples = NDArray[np.float32]


@cache
def spoken(digit: str) -> Samples:
    """One digit at 16 kHz, without the silence around it."""
    sound = recording(f"digits/{DIGITS.index(digit)}")
    loud = np.flatnonzero(np.abs(sound) > 0.01)
    return sound[max(0, loud[0] - 400) : loud[-1] + 400]


def sentence(digits: list[str], rate_hz: int) -> Samples:
    """The digits, with a short pause behind each."""
    pause = np.zeros(int(PAUSE_S * RATE_HZ), np.float32)
    return dsp.resample(np.concatenate([part for digit in digits for part in (spoken(digit), pause)]), RATE_HZ, rate_hz)


@cache
def _recogniser() -> Any:
    decoder = import_module("pocketsphinx").Decoder(samprate=RATE_HZ, loglevel="FATAL", lm=None)
    decoder.add_jsgf_string("digits", f"#JSGF V1.0; grammar digits; public <digits> = ({'|'.join(DIGITS)})+;")
    decoder.activate_search("digits")
    return decoder


def heard_digits(sound: Samples) -> list[str]:
    """What is said in sound at 16 kHz."""
    return words_heard(_recogniser(), sound)


def lost_words(said: list[str], heard: list[str]) -> tuple[int, int]:
    """How many of the words that were said are not heard, and in the place of how many another one is.

    By the fewest differences, as a word error rate counts them; of several ways, by the one with most lost.
    """
    row = [(extra, 0, 0) for extra in range(len(heard) + 1)]  # differences, minus those lost, those misheard
    for word in said:
        before, row = row, [_plus(row[0], lost=1)]
        for at, other in enumerate(heard):
            together = before[at] if word == other else _plus(before[at], misheard=1)
            row.append(min(together, _plus(before[at + 1], lost=1), _plus(row[at])))
    _, lost, misheard = row[-1]
    return -lost, misheard


def _plus(so_far: tuple[int, int, int], *, lost: int = 0, misheard: int = 0) -> tuple[int, int, int]:
    return so_far[0] + 1, so_far[1] - lost, so_far[2] + misheard
