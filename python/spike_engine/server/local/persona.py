"""A persona that hears and speaks with what is installed on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from spike_engine.server.local.hearing import Recogniser
from spike_engine.server.local.voice import open_voice
from spike_engine.server.persona import Persona, Samples, Speech


class LocalPersona(Persona):
    """Hears with pocketsphinx and speaks with espeak-ng; `think` is left to write.

    Raises:
        MissingExtra: One of them is not installed.
    """

    hints: Sequence[str] = ()  # short sentences that the user is likely to say, see Recogniser

    def __init__(self) -> None:
        self._recogniser = Recogniser(self.hints)
        self._voice = open_voice()

    async def start(self) -> None:
        """Start both processes."""
        await self._recogniser.start()
        await self._voice.start()

    async def close(self) -> None:
        """End both processes."""
        await self._recogniser.close()
        await self._voice.close()

    def hear(self, speech: AsyncIterator[Samples]) -> AsyncIterator[str]:
        """See :meth:`Persona.hear`."""
        return self._recogniser.transcribe(speech)

    async def speak(self, text: str) -> Speech:
        """See :meth:`Persona.speak`."""
        return await self._voice.speak(text)
