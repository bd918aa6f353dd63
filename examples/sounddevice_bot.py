"""A bot of sounddevice's that hears its user only: python sounddevice_bot.py SPOKEN.wav HEARD.wav.

With ``import sounddevice as sd`` in place of the engine's, HEARD.wav has the bot's own voice in it.
"""

import sys
import wave

import numpy as np

from spike_engine.integrations import sounddevice as sd


def main(spoken_path: str, heard_path: str) -> None:
    with wave.open(spoken_path) as file:
        rate_hz, spoken = file.getframerate(), file.readframes(file.getnframes())

    said = np.frombuffer(spoken, np.int16).reshape(-1, 1)
    heard = []

    def callback(indata, outdata, frames, time, status) -> None:
        begin = len(heard) * frames
        block = said[begin : begin + frames]
        outdata[: len(block)], outdata[len(block) :] = block, 0
        heard.append(indata.copy())
        if begin > len(said) + rate_hz // 2:
            raise sd.CallbackStop

    with sd.Stream(rate_hz, rate_hz // 50, channels=1, dtype="int16", callback=callback) as stream:
        while stream.active:
            sd.sleep(100)

    with wave.open(heard_path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.concatenate(heard).tobytes())


main(*sys.argv[1:3])
