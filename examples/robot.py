"""A robot without a screen, which must go on whatever happens: python robot.py URL TOKEN.

It talks by voice alone, lights a lamp while the AI speaks, survives networks and microphones that come and go, and ends
when the conversation does.
"""

import asyncio
import sys

from spike_engine import SpikeClient


def lamp(on: bool) -> None:
    print("lamp", "on" if on else "off", flush=True)  # a robot would set a pin here


async def main(url: str, token: str) -> None:
    client = SpikeClient(conversation_url=url, token=token, video=False, turn_detection="local")
    client.on("ai-speaking", lambda event: lamp(True) if not event.transcript else None)
    client.on("ai-idle", lambda: lamp(False))
    client.on("user-started-speaking", lambda: lamp(False))
    client.on("network-quality", lambda event: print("network:", event.level, flush=True))
    client.on("error", lambda error: print(error.code, error.message, flush=True))

    async with client:
        async for event in client.events("disconnected", "reconnecting"):
            print(event, flush=True)


asyncio.run(main(*sys.argv[1:3]))
