"""Play a recording and hear the microphone without it: python sounddevice_loop.py PLAYED.wav CLEANED.wav.

PLAYED.wav is mono, 16 bit, of 16, 24, 32, 44.1 or 48 kHz. What the microphone heard meanwhile goes to CLEANED.wav.
"""

import sys
import wave

import numpy as np
import sounddevice

from spike_engine import dsp


def main(played_path: str, cleaned_path: str) -> None:
    with wave.open(played_path) as file:
        rate_hz = file.getframerate()
        played = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    block = rate_hz // 100
    blocks = iter(np.append(played, np.zeros(-len(played) % block, np.int16)).reshape(-1, block))

    chain = dsp.CapturePipeline(rate_hz)
    cleaned = []

    def on_block(microphone, loudspeaker, *_) -> None:
        loudspeaker[:, 0] = far_end = next(blocks, np.zeros(block, np.int16))
        cleaned.append(chain.process(microphone[:, 0], far_end))

    with sounddevice.Stream(rate_hz, block, dtype="int16", channels=1, callback=on_block):
        sounddevice.sleep(1000 * len(played) // rate_hz + 200)

    with wave.open(cleaned_path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.concatenate(cleaned).tobytes())
    print(f"echo {chain.stats.erle_db:.0f} dB down, found {chain.stats.delay_ms:.0f} ms late")


main(*sys.argv[1:3])
