"""Whole conversations: clients with a microphone and a loudspeaker, and the embedded server that they talk with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from crowd.sound import LOUD, RATE_HZ, Room, speech

from spike_engine import SpikeClient
from spike_engine.server import ConversationServer, Persona
from spike_engine.server.persona import Speech
from spike_engine.server.workers import load

_TOLD_S = 32


class Teller(Persona):
    """Tells a story of half a minute as soon as somebody comes in, and hears nobody."""

    greeting = "A story."
    voice = np.tile(speech(), _TOLD_S // 4)

    async def hear(self, speech: AsyncIterator[Any]) -> AsyncIterator[str]:
        async for _ in speech:
            pass
        yield "something"

    async def think(self, heard: str) -> AsyncIterator[str]:
        yield heard

    async def speak(self, text: str) -> Speech:
        return Speech(self.voice, RATE_HZ)


class Caller:
    """A client: `chain_hz` is the rate at which its sound is cleaned, 0 for one that cleans nothing; `voice` speaks."""

    def __init__(self, url: str, token: str, *, chain_hz: int, voice: np.ndarray, video: bool = False) -> None:
        self.heard = 0.0
        chained = chain_hz > 0
        room = Room(chain_hz or RATE_HZ, voice)
        self._client = SpikeClient(
            conversation_url=url,
            token=token,
            video=video,
            video_source=_black() if video else "default",
            audio_source=room,
            audio_output=room if chained else None,
            echo_cancellation=chained,
            noise_suppression=chained,
            auto_gain_control=chained,
            join_timeout_s=60,
            auto_reconnect=False,
        )
        self._client.add_audio_tap(self._tap)

    async def join(self) -> None:
        await self._client.join()

    async def close(self) -> None:
        await self._client.leave()

    def _tap(self, kind: str, samples: np.ndarray) -> None:
        if kind == "ai":
            self.heard += bool(samples.max() > LOUD)


def _black() -> Any:
    from spike_engine.devices.stand_ins import BlackPictures  # noqa: PLC0415

    return BlackPictures(np.zeros((90, 160, 3), np.uint8), 1.0)


def server(count: int) -> ConversationServer:
    """One that admits so many conversations, however late it runs."""
    load.LATE_MS = load.BUSY_SHARE = 1e9
    return ConversationServer(persona=Teller, max_conversations=count, idle_timeout_s=120)
