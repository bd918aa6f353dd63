"""Who the user talks with: a persona hears, thinks and speaks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

HEARING_RATE_HZ = 16_000

Samples = NDArray[np.float32]

MouthShape = Literal["rest", "closed", "lip", "teeth", "tongue", "half", "open", "rounded", "puckered"]
MOUTH_SHAPES: tuple[MouthShape, ...] = get_args(MouthShape)


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
class Viseme:
    """When the mouth takes a shape.

    Attributes:
        start_s: Time from the beginning of the sound.
        shape: ``closed`` as for m, ``lip`` for f, ``teeth`` for s or ee, ``tongue`` for th, ``half`` for eh, ``open``
            for ah, ``rounded`` for aw, ``puckered`` for oo, ``rest`` in a pause.

    Raises:
        ValueError: There is no such shape.
    """

    start_s: float
    shape: MouthShape

    def __post_init__(self) -> None:
        if self.shape not in MOUTH_SHAPES:
            raise ValueError(f"shape must be one of {', '.join(MOUTH_SHAPES)}, not {self.shape!r}")


@dataclass(frozen=True, slots=True)
class Speech:
    """A spoken text: mono float32 samples in [-1, 1] at any rate.

    Attributes:
        words: Where the voice knows their times.
        visemes: What the mouth does, in the order of time; without them the server tells it from the sound.
    """

    samples: Samples
    sample_rate_hz: int
    words: Sequence[Word] = ()
    visemes: Sequence[Viseme] = ()


@dataclass(frozen=True, slots=True)
class Perceived:
    """What a persona sees of the user; None where it cannot tell."""

    emotion: str | None = None
    gesture: str | None = None


class Persona(ABC):
    """The partner of one conversation: put a model in by writing this one class.

    The server makes a persona per conversation, so it may remember what was said. A turn runs `hear`, `think` and
    `speak` in this order, and is cancelled where the user interrupts. What one of them raises is reported to the client
    as an error, and the conversation goes on.

    :class:`~spike_engine.server.local.LocalPersona` brings ears and a voice: with it, only `think` is left to write.
    """

    greeting = ""  # said when the user comes in; empty to let the user begin

    sees = False  # True to be shown the user

    async def start(self) -> None:  # noqa: B027 (a hook)
        """Get ready: called once, before the first turn. An error here ends the conversation."""

    async def close(self) -> None:  # noqa: B027 (a hook)
        """Release everything: called once, at the end of the conversation, even where `start` was not."""

    @abstractmethod
    def hear(self, speech: AsyncIterator[Samples]) -> AsyncIterator[str]:
        """Yield the words of one turn of the user as far as they are understood; the last text yielded counts.

        `speech` gives mono float32 samples at 16 kHz while the user speaks, and ends with the turn.
        """

    @abstractmethod
    def think(self, heard: str) -> AsyncIterator[str]:
        """Yield the answer to `heard`, sentence by sentence; `heard` is empty where no word was understood."""

    @abstractmethod
    async def speak(self, text: str) -> Speech:
        """Turn one sentence into sound."""

    async def see(self, picture: NDArray[np.uint8]) -> Perceived:
        """Look at the user: a small picture (height, width, 3) rgb24, twice a second where `sees` is True."""
        return Perceived()

    def know(self, text: str, role: Literal["user", "system"]) -> None:  # noqa: B027 (a hook)
        """Learn something without answering: what the user looks at, or what the program says has changed."""

    def said(self, text: str, *, interrupted: bool) -> None:  # noqa: B027 (a hook)
        """Learn what of the last answer the user really heard."""
