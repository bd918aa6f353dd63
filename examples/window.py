"""The AI in a window: python window.py URL TOKEN."""

import asyncio
import sys

from spike_engine import SpikeClient, show


async def main(url: str, token: str) -> None:
    async with SpikeClient(conversation_url=url, token=token) as client:
        await show(client, title="Your AI")
        print("AI:", client.state.ai_transcript)


asyncio.run(main(*sys.argv[1:3]))
