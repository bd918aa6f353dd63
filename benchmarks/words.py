"""What recognisers make of a voice before and after: English words of PocketSphinx, and of Whisper."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "tools"))

from pocket_sphinx import words_heard

RATE_HZ = 16000


@cache
def recogniser() -> Any:
    package = import_module("pocketsphinx")
    return package.Decoder(samprate=RATE_HZ, loglevel="FATAL")


def words(x: Any) -> list[str]:
    """Of 16 kHz, in order."""
    return words_heard(recogniser(), x)


def whisper(folder: Path, *, beams: int = 1) -> Callable[[Any], list[str]]:
    """The same of faster-whisper with the weights in `folder`."""
    model = import_module("faster_whisper").WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1)

    def hear(x: Any) -> list[str]:
        found, _ = model.transcribe(
            x, language="en", beam_size=beams, temperature=0.0, condition_on_previous_text=False
        )
        return re.sub(r"[^a-z' ]", " ", " ".join(part.text for part in found).lower()).split()

    return hear


def errors(heard: list[str], spoken: list[str]) -> int:
    """Words to insert, take away or change, the least that turn one into the other."""
    row = list(range(len(spoken) + 1))
    for i, word in enumerate(heard, 1):
        before, row[0] = row[0], i
        for k, other in enumerate(spoken, 1):
            before, row[k] = row[k], min(row[k] + 1, row[k - 1] + 1, before + (word != other))
    return row[-1]
