"""A voice for Gemini's Live API through google-genai (``pip install "spike-engine[google-genai]"``)."""

from __future__ import annotations

import asyncio
from typing import Any

from spike_engine.duplex import DuplexAudio
from spike_engine.lifetime import cancelled

RATE_HZ = 24000  # of what Gemini says; it hears any rate that is told


async def talk(session: Any, audio: DuplexAudio) -> None:
    """Talk with a Live session, ``client.aio.live.connect(...)``, over `audio` until the session ends.

    Args:
        session: Entered, with ``response_modalities=["AUDIO"]``; other tasks must not receive from it.
        audio: At 24 kHz, ``dtype="int16"``, entered.
    """
    sending = asyncio.create_task(_send(session, audio))
    try:
        while True:
            spoke = False
            async for message in session.receive():  # one turn of the AI's
                spoke = True
                if message.server_content and message.server_content.interrupted:
                    audio.flush()
                elif message.data:
                    audio.play(message.data)
            if not spoke:
                return
    finally:
        await cancelled(sending)


async def _send(session: Any, audio: DuplexAudio) -> None:
    kind = f"audio/pcm;rate={audio.sample_rate_hz}"
    async for block in audio:
        await session.send_realtime_input(audio={"data": block.tobytes(), "mime_type": kind})
