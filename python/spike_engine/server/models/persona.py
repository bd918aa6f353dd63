"""The persona over those endpoints; what they do not offer, this machine does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Literal

import numpy as np

from spike_engine.server.local.hearing import Recogniser
from spike_engine.server.local.voice import open_voice
from spike_engine.server.models.endpoints import Endpoints, Models
from spike_engine.server.persona import Persona, Samples, Speech

SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+|\n+")
REMEMBERED_MESSAGES = 40


class ModelPersona(Persona):
    """Thinks with a chat model, sentence by sentence while the answer still comes; remembers what was really said.

    Args:
        endpoints: Where the models are.

    Raises:
        MissingExtra: It hears or speaks locally, and what that needs is not installed.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self.greeting = endpoints.greeting
        self._endpoints = endpoints
        self._models: Models | None = None
        self._recogniser = None if endpoints.transcription_model else Recogniser()
        self._voice = None if endpoints.speech_model else open_voice()
        self._messages: list[dict[str, str]] = []

    async def start(self) -> None:
        """Start what is local; the endpoints are asked when they are needed."""
        self._models = Models(self._endpoints)
        for local in (self._recogniser, self._voice):
            if local:
                await local.start()

    async def close(self) -> None:
        """End it."""
        for part in (self._recogniser, self._voice, self._models):
            if part:
                await part.close()

    async def hear(self, speech: AsyncIterator[Samples]) -> AsyncIterator[str]:
        """See :meth:`Persona.hear`; an endpoint understands a turn when it is over."""
        if self._recogniser:
            async for words in self._recogniser.transcribe(speech):
                yield words
            return
        assert self._models
        yield await self._models.transcribe(np.concatenate([block async for block in speech]))

    async def think(self, heard: str) -> AsyncIterator[str]:
        """See :meth:`Persona.think`."""
        assert self._models
        self._messages = [
            *self._messages[-REMEMBERED_MESSAGES:],
            {"role": "user", "content": heard or "(not understood)"},
        ]
        messages = [{"role": "system", "content": self._endpoints.instructions}, *self._messages]
        rest = ""
        async with aclosing(self._models.chat(messages)) as pieces:
            async for piece in pieces:
                *sentences, rest = SENTENCE_END.split(rest + piece)
                for sentence in filter(None, map(str.strip, sentences)):
                    yield sentence
        if rest.strip():
            yield rest.strip()

    async def speak(self, text: str) -> Speech:
        """See :meth:`Persona.speak`."""
        if self._voice:
            return await self._voice.speak(text)
        assert self._models
        return await self._models.speak(text)

    def know(self, text: str, role: Literal["user", "system"]) -> None:
        """See :meth:`Persona.know`."""
        self._messages.append({"role": role, "content": text})

    def said(self, text: str, *, interrupted: bool) -> None:
        """See :meth:`Persona.said`: what nobody heard was not said."""
        if text:
            self._messages.append({"role": "assistant", "content": text + (" …" if interrupted else "")})
