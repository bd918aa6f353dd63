"""Gemini's Live API on this machine's sound card by PyAudio's streams, as its docs tell; or by the drop-in for them.

python google_genai_pyaudio.py pyaudio | spike_engine.integrations.pyaudio
"""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module

from google import genai
from google.genai import types

pyaudio = import_module(sys.argv[1])
HEARD_HZ, SPOKEN_HZ = 16000, 24000


async def main() -> None:
    connection = genai.Client().aio.live.connect(model="gemini", config={"response_modalities": ["AUDIO"]})
    async with connection as session:
        sound_card = pyaudio.PyAudio()
        mono = {"format": pyaudio.paInt16, "channels": 1}
        loudspeaker = sound_card.open(rate=SPOKEN_HZ, output=True, **mono)
        microphone = sound_card.open(rate=HEARD_HZ, input=True, frames_per_buffer=512, **mono)

        async def listen() -> None:
            while True:
                data = await asyncio.to_thread(microphone.read, 512, exception_on_overflow=False)
                await session.send_realtime_input(audio=types.Blob(data=data, mime_type=f"audio/pcm;rate={HEARD_HZ}"))

        async def speak() -> None:
            while True:
                async for message in session.receive():
                    if message.data:
                        await asyncio.to_thread(loudspeaker.write, message.data)

        await asyncio.gather(listen(), speak())


asyncio.run(main())
