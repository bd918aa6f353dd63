"""A persona for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar, Self

from spike_engine.server import HummingPersona


class Host(HummingPersona):
    """Greets, hums its answers, and notes what it learns."""

    greeting = "Welcome."
    seconds_per_letter = 0.03
    all: ClassVar[list[Self]] = []

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.spoken: list[tuple[str, bool]] = []
        self.known: list[tuple[str, str]] = []
        self.started = 0
        self.closed = 0
        Host.all.append(self)

    async def start(self) -> None:
        self.started += 1

    async def close(self) -> None:
        self.closed += 1

    async def think(self, heard: str) -> AsyncIterator[str]:
        self.heard.append(heard)
        yield f"You said {heard}."
        yield "I see."

    def know(self, text: str, role: str) -> None:
        if text.startswith("fail"):
            raise ValueError(text)
        self.known.append((text, role))

    def said(self, text: str, *, interrupted: bool) -> None:
        self.spoken.append((text, interrupted))
