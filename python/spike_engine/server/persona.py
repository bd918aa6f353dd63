"""Who the user talks with: hear, think, speak."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HEARING_RATE_HZ = 16_000

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Word:
    """When a word of a spoken text begins, and where it ends in the text.

    Attributes:
        start_s: Time from the beginning of the sound.
        text_end: Index into the text just after the word.

    """

    start_s: float
    text_end: int


@dataclass(frozen=True, slots=True)
class Speech:
    """A spoken text: mono float32 samples at any rate, and its words where the voice knows their times."""

    samples: Samples
    sample_rate_hz: int
    words: Sequence[Word] = ()


class Persona:
    """The partner of one conversation. Override `think` to put a model in; `hear` and `speak` to replace ears and voice.

    The server makes one persona per conversation, so it may remember what was said.
    """

    greeting = ""  # said when the user comes in; empty to let the user begin

    async def start(self) -> None:
        """Get ready: called once, before the first turn."""

    async def close(self) -> None:
        """Release everything: called once, at the end of the conversation."""

    async def hear(self, speech: AsyncIterator[Samples]) -> AsyncIterator[str]:
        """Yield the words understood so far of one user turn; the last ones yielded count.

        `speech` gives mono float32 samples at 16 kHz while the user speaks and ends with the turn.
        """
        async for _ in speech:
            pass
        yield "something"

    async def think(self, heard: str) -> AsyncIterator[str]:
        """Yield the answer to `heard`, sentence by sentence."""
        yield f"You said {heard}."

    async def speak(self, text: str) -> Speech:
        """Turn one sentence into sound."""
        time_s = np.arange(int(0.06 * len(text) * 48_000), dtype=np.float32) / 48_000
        hum = 0.2 * np.sin(2 * np.pi * 180 * time_s) * np.sin(2 * np.pi * 2 * time_s)
        return Speech(hum.astype(np.float32), 48_000)

    def said(self, text: str, *, interrupted: bool) -> None:
        """Learn what the user really heard of the answer."""
