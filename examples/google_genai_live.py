"""Talk with Gemini's Live API in a loudspeaker, without headphones: python google_genai_live.py.

GOOGLE_API_KEY is the key; GEMINI_MODEL names another model.
"""

import asyncio
import os

from google import genai

from spike_engine import DuplexAudio
from spike_engine.integrations.google_genai import talk

MODEL = os.environ.get("GEMINI_MODEL", "gemini-live-2.5-flash-preview")


async def main():
    live = genai.Client().aio.live.connect(model=MODEL, config={"response_modalities": ["AUDIO"]})
    async with DuplexAudio(24000, dtype="int16") as audio, live as session:
        print("talk", flush=True)
        await talk(session, audio)


asyncio.run(main())
