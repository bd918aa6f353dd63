"""Does this machine hear itself? python duplex_echo_test.py [SPOKEN.wav].

Plays SPOKEN.wav (mono, 16 bit), or counts with the voice of the demo, and listens meanwhile: only you may interrupt it,
not its own voice in the loudspeaker.
"""

import asyncio
import sys
import wave

from spike_engine import DuplexAudio
from spike_engine.server import FrontDesk


async def speech_of(paths: list[str]):
    if paths:
        with wave.open(paths[0]) as file:
            return file.readframes(file.getnframes()), file.getframerate()
    desk = FrontDesk()
    await desk.start()
    speech = await desk.speak("One, two, three, four, five, six, seven, eight, nine, ten. Did I hear anybody but you?")
    await desk.close()
    return (32767 * speech.samples).astype("int16"), speech.sample_rate_hz


async def main() -> None:
    speech, rate_hz = await speech_of(sys.argv[1:])
    async with DuplexAudio(sample_rate_hz=rate_hz, dtype="int16") as audio:

        @audio.on("user-started-speaking")
        def on_user():
            audio.flush()
            print(f"you interrupted after {audio.played_ms / 1000:.1f} s", flush=True)

        print("speaking", flush=True)
        audio.play(speech)
        async for _ in audio:
            if audio.queued_ms == 0:
                break

        echo = audio.stats
        print(f"the echo went down by {echo.erle_db:.0f} dB, {echo.delay_ms:.0f} ms after it was played")


asyncio.run(main())
