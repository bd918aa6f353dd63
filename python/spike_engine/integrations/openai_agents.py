"""A voice for the realtime sessions of the OpenAI Agents SDK (``pip install "spike-engine[openai-agents]"``)."""

from __future__ import annotations

import asyncio
from typing import Any

from spike_engine.duplex import DuplexAudio
from spike_engine.lifetime import cancelled

RATE_HZ = 24000  # of the API, both ways


async def talk(session: Any, audio: DuplexAudio, *, tracker: Any = None) -> None:
    """Talk with a ``RealtimeSession`` over `audio` until the session ends.

    Args:
        session: Entered; other tasks must not iterate over it.
        audio: At 24 kHz, ``dtype="int16"``, entered.
        tracker: The ``RealtimePlaybackTracker`` of the session's model: it learns what was heard, to the sample, so
            that an interrupted answer is cut where the user stopped listening.
    """
    sending = asyncio.create_task(_send(session, audio))
    heard: dict[tuple[str, int], float] = {}
    try:
        async for event in session:
            match event.type:
                case "audio":
                    item = (event.item_id, event.content_index)
                    audio.play(event.audio.data, utterance=item)
                    _track(audio, tracker, item, heard)
                case "audio_interrupted":
                    _track(audio, tracker, (event.item_id, event.content_index), heard)
                    audio.flush()
    finally:
        await cancelled(sending)


async def _send(session: Any, audio: DuplexAudio) -> None:
    async for block in audio:
        await session.send_audio(block.tobytes())


def _track(audio: DuplexAudio, tracker: Any, item: tuple[str, int], heard: dict[tuple[str, int], float]) -> None:
    if tracker is None:
        return
    now_ms, before_ms = audio.played_ms_of(item), heard.get(item, 0.0)
    heard[item] = now_ms
    tracker.on_play_ms(*item, now_ms - before_ms)
