"""A voice agent of the OpenAI Agents SDK on this machine's sound card, by sounddevice's streams, as its docs tell."""

from __future__ import annotations

import asyncio
import os
import queue
from typing import Any

import sounddevice
from agents.realtime import RealtimeAgent, RealtimeRunner

RATE_HZ = 24000
BLOCK = RATE_HZ // 50


async def main() -> None:
    loop = asyncio.get_running_loop()
    captured: asyncio.Queue[bytes] = asyncio.Queue()
    to_play: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def capture(data: Any, *_: object) -> None:
        loop.call_soon_threadsafe(captured.put_nowait, bytes(data))

    def play(data: Any, *_: object) -> None:
        data[:] = bytes(len(data)) if to_play.empty() else to_play.get_nowait()

    stream: dict[str, Any] = {"samplerate": RATE_HZ, "channels": 1, "dtype": "int16", "blocksize": BLOCK}
    config: Any = {"api_key": "sk", "url": os.environ["REALTIME_URL"]}
    session = await RealtimeRunner(RealtimeAgent(name="bot")).run(model_config=config)
    microphone = sounddevice.RawInputStream(callback=capture, **stream)
    loudspeaker = sounddevice.RawOutputStream(callback=play, **stream)
    async with session:
        with microphone, loudspeaker:

            async def send() -> None:
                while True:
                    await session.send_audio(await captured.get())

            sending = asyncio.create_task(send())
            async for event in session:
                if event.type == "audio":
                    data = event.audio.data
                    for at in range(0, len(data) - 2 * BLOCK + 1, 2 * BLOCK):
                        to_play.put(data[at : at + 2 * BLOCK])
            sending.cancel()


asyncio.run(main())
