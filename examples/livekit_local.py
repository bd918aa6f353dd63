"""An agent of livekit-agents in a loudspeaker, without a room and headphones: python livekit_local.py SPOKEN.wav.

The agent says SPOKEN.wav (mono, 16 bit, 24 kHz). With a model, session.start() is all that is needed.
"""

import asyncio
import sys
import wave

from livekit import rtc

from spike_engine import DuplexAudio
from spike_engine.integrations.livekit_agents import DuplexInput, DuplexOutput


async def main(path):
    with wave.open(path) as file:
        speech = file.readframes(file.getnframes())
    async with DuplexAudio(24000, dtype="int16", hold_interruptions=False) as audio:
        ears, mouth = DuplexInput(audio), DuplexOutput(audio)  # session.input.audio, session.output.audio
        audio.on("user-started-speaking", mouth.clear_buffer)
        print("speaking", flush=True)
        await mouth.capture_frame(rtc.AudioFrame(speech, 24000, 1, len(speech) // 2))
        mouth.flush()
        listening = asyncio.create_task(listen(ears))
        finished = await mouth.wait_for_playout()
        listening.cancel()
        print(f"heard {finished.playback_position:.1f} s, interrupted: {finished.interrupted}")


async def listen(ears):
    async for _ in ears:  # what the agent hears
        pass


asyncio.run(main(sys.argv[1]))
