"""A persona without any model, for tests that need a partner."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np

from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.server.persona import Persona, Samples, Speech

HUM_HZ = 180
SYLLABLES_HZ = 2


class HummingPersona(Persona):
    """Notices that the user speaks, understands "something", and hums its answers."""

    seconds_per_letter = 0.06

    async def hear(self, speech: AsyncIterator[Samples]) -> AsyncIterator[str]:
        """Listen to the end."""
        async for _ in speech:
            pass
        yield "something"

    async def think(self, heard: str) -> AsyncIterator[str]:
        """Repeat it."""
        yield f"You said {heard}."

    async def speak(self, text: str) -> Speech:
        """Hum."""
        time_s = np.arange(int(self.seconds_per_letter * len(text) * ENGINE_RATE_HZ)) / ENGINE_RATE_HZ
        hum = 0.2 * np.sin(2 * np.pi * HUM_HZ * time_s) * np.sin(2 * np.pi * SYLLABLES_HZ * time_s)
        return Speech(hum.astype(np.float32), ENGINE_RATE_HZ)
