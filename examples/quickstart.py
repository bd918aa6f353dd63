"""Join a conversation and print what the AI says: python quickstart.py URL TOKEN."""

import asyncio
import sys

from spike_engine import AISpeaking, SpikeClient


async def main(url: str, token: str) -> None:
    client = SpikeClient(conversation_url=url, token=token)

    @client.on("ai-speaking")
    def on_speaking(event: AISpeaking) -> None:
        print(f"AI: {event.transcript}")

    async with client:
        await client.wait_for("ai-idle", timeout=30)


asyncio.run(main(*sys.argv[1:3]))
