"""Finds a phrase in words that a recogniser may have misheard."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

SOUNDS_ALIKE = 0.75
SHORT_KEY_LETTERS = 5  # so few consonants are found by chance in almost any sentence: they must fit better
SHORT_SOUNDS_ALIKE = 0.88
MIN_KEY_LETTERS = 3

# Letters that sound alike where a telephone line is poor; vowels carry least.
_SPELLINGS = (("ph", "f"), ("th", "t"), ("ck", "k"), ("gh", ""), ("sh", "s"), ("ch", "s"), ("x", "ks"), ("wr", "r"))
_CLASSES = str.maketrans("bvzdgcqj", "pfstkkkk", "aeiouyh'")


def sound_key(text: str) -> str:
    """The consonants of `text`, those that are easily confused made equal: "we still" and "weasels" come out close."""
    key = re.sub(r"[^a-z']", "", text.lower())
    for spelling, sound in _SPELLINGS:
        key = key.replace(spelling, sound)
    return re.sub(r"(.)\1+", r"\1", key.translate(_CLASSES))


def likeness(phrase: str, heard: str) -> float:
    """How well `phrase` is found anywhere in `heard`: 1 for the very words, 0 where nothing sounds like it."""
    words = heard.lower().split()
    if f" {phrase} " in f" {' '.join(words)} ":
        return 1.0
    key = sound_key(phrase)
    if len(key) < MIN_KEY_LETTERS:
        return 0.0
    threshold = SHORT_SOUNDS_ALIKE if len(key) <= SHORT_KEY_LETTERS else SOUNDS_ALIKE
    count = len(phrase.split())
    best = 0.0
    for size in range(max(1, count - 1), count + 2):
        for start in range(len(words) - size + 1):
            heard_key = sound_key("".join(words[start : start + size]))
            best = max(best, SequenceMatcher(None, key, heard_key, autojunk=False).ratio())
    return best if best >= threshold else 0.0
