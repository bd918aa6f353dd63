"""A voice-only loop, as a robot has it, that comes back when the network does: python voice_only.py URL TOKEN."""

import asyncio
import sys

from spike_engine import Disconnected, SpikeClient, SpikeError


async def main(url: str, token: str) -> None:
    client = SpikeClient(conversation_url=url, token=token, video=False)
    over = asyncio.Event()

    @client.on("disconnected")
    async def on_disconnected(event: Disconnected) -> None:
        if event.reason == "network":
            await client.reconnect()
        else:
            over.set()

    client.on("user-transcript", lambda event: print(f"you: {event.transcript}") if event.final else None)
    client.on("ai-idle", lambda: print(f"AI:  {client.state.ai_transcript}"))
    try:
        await client.join()
        await over.wait()
    except SpikeError as error:
        sys.exit(f"{error.code}: {error.message}")


asyncio.run(main(*sys.argv[1:3]))
