"""What a recogniser makes of a voice before and after: English words of PocketSphinx, with its own model."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

RATE_HZ = 16000


@cache
def recogniser() -> Any:
    package = import_module("pocketsphinx")
    return package.Decoder(samprate=RATE_HZ, loglevel="FATAL")


def words(x: Any) -> list[str]:
    """Of 16 kHz, in order."""
    decoder = recogniser()
    decoder.start_utt()
    decoder.process_raw((np.clip(x, -1, 1) * 32767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    return found.hypstr.split() if found else []


def errors(heard: list[str], spoken: list[str]) -> int:
    """Words to insert, take away or change, the least that turn one into the other."""
    row = list(range(len(spoken) + 1))
    for i, word in enumerate(heard, 1):
        before, row[0] = row[0], i
        for k, other in enumerate(spoken, 1):
            before, row[k] = row[k], min(row[k] + 1, row[k - 1] + 1, before + (word != other))
    return row[-1]
