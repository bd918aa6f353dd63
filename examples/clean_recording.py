"""Take the echo and the noise out of a recording: python clean_recording.py MICROPHONE.wav LOUDSPEAKER.wav OUT.wav.

Both are mono, 16 bit, of the same rate (16, 24, 32, 44.1 or 48 kHz) and began at the same time.
"""

import sys
import wave

import numpy as np

from spike_engine import dsp


def read(path: str) -> tuple[np.ndarray, int]:
    with wave.open(path) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16), file.getframerate()


def main(microphone_path: str, loudspeaker_path: str, out_path: str) -> None:
    (microphone, rate_hz), (loudspeaker, _) = read(microphone_path), read(loudspeaker_path)
    length = min(len(microphone), len(loudspeaker))
    chain = dsp.CapturePipeline(rate_hz)
    clean = chain.process(microphone[:length], loudspeaker[:length])
    with wave.open(out_path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(clean[chain.latency_samples :].tobytes())
    print(f"echo {chain.stats.erle_db:.0f} dB down, found {chain.stats.delay_ms:.0f} ms late")


main(*sys.argv[1:4])
