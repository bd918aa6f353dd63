"""Does this machine hear itself? python duplex_echo_test.py SPOKEN.wav.

Plays SPOKEN.wav (mono, 16 bit) and listens meanwhile: only you may interrupt it, not its own voice in the loudspeaker.
"""

import asyncio
import sys
import wave

from spike_engine import DuplexAudio


async def main(path: str) -> None:
    with wave.open(path) as file:
        rate_hz, speech = file.getframerate(), file.readframes(file.getnframes())

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


asyncio.run(main(sys.argv[1]))
