"""Talk with an agent of the OpenAI Agents SDK in a loudspeaker, without headphones: python openai_agents_local.py."""

import asyncio
import os

from agents.realtime import RealtimeAgent, RealtimePlaybackTracker, RealtimeRunner

from spike_engine import DuplexAudio
from spike_engine.integrations.openai_agents import talk


async def main():
    tracker = RealtimePlaybackTracker()
    config = {"api_key": os.environ["OPENAI_API_KEY"], "playback_tracker": tracker}
    if url := os.environ.get("REALTIME_URL"):  # of another server
        config["url"] = url
    runner = RealtimeRunner(RealtimeAgent(name="Assistant", instructions="Be brief."))
    async with DuplexAudio(24000, dtype="int16") as audio, await runner.run(model_config=config) as session:
        print("talk", flush=True)
        await talk(session, audio, tracker=tracker)


asyncio.run(main())
