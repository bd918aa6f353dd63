"""Echo cancelling beside WebRTC's AEC3, on the same recordings in the same rooms: prints a table.

python benchmarks/echo_quality.py   (needs livekit, the recorded speech of the tests, and scipy)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from livekit import rtc

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "dsp"))

from rooms import FAR, NEAR, Samples, echo_of, gain_db, impulse_response, level_db, si_sdr_db, speech

from spike_engine import dsp

RATE_HZ = 16000
SECONDS = 12.0
TALKING = slice(6 * RATE_HZ, 11 * RATE_HZ)
FIRST = slice(RATE_HZ // 5, 2 * RATE_HZ)
Canceller = Callable[[Samples, Samples], Samples]


def nothing(microphone: Samples, _: Samples) -> Samples:
    return microphone


def spike(microphone: Samples, far: Samples) -> Samples:
    return dsp.EchoCanceller(RATE_HZ).process(microphone, far)


def webrtc_aec3(microphone: Samples, far: Samples) -> Samples:
    module = rtc.AudioProcessingModule(echo_cancellation=True)
    size = RATE_HZ // 100
    as_int = [np.round(32767 * np.clip(x, -1, 1)).astype(np.int16) for x in (microphone, far)]
    out = np.zeros(len(microphone), np.int16)
    for at in range(0, len(microphone) - size + 1, size):
        near, loud = (rtc.AudioFrame(x[at : at + size].tobytes(), RATE_HZ, 1, size) for x in as_int)
        module.process_reverse_stream(loud)
        module.process_stream(near)
        out[at : at + size] = np.frombuffer(near.data, np.int16)
    return out.astype(np.float32) / 32767


SYSTEMS: dict[str, Canceller] = {"nothing": nothing, "WebRTC AEC3": webrtc_aec3, "spike_engine": spike}


def echo_alone(delay_ms: float, rt60_s: float, seed: int) -> tuple[Samples, Samples]:
    far = 0.7 * speech(FAR, RATE_HZ, SECONDS)
    noise = 3e-4 * np.random.default_rng(seed).standard_normal(len(far)).astype(np.float32)
    return echo_of(far, impulse_response(RATE_HZ, rt60_s, delay_ms, -6.0, seed)) + noise, far


def double_talk(ser_db: float, seed: int) -> tuple[Samples, Samples, Samples]:
    echo, far = echo_alone(40.0, 0.3, seed)
    near = np.zeros_like(far)
    begin = 5 * RATE_HZ
    near[begin:] = speech(NEAR, RATE_HZ, SECONDS)[: len(near) - begin]
    near *= 10 ** ((level_db(echo) + ser_db - level_db(near[begin:])) / 20)
    return echo + near, far, near


def in_time(out: Samples, near: Samples) -> Samples:
    """`out` moved by the delay at which it is most like `near`, so that no system's delay counts against it."""
    talking = near[TALKING]
    shifted = [out[lag:][TALKING] for lag in range(RATE_HZ // 20)]
    return max(shifted, key=lambda part: float(abs(np.dot(part, talking))))


def figures(cancel: Canceller) -> list[float]:
    """Mean ERLE converged and in the first 2 s; near-end gain and SI-SDR in double talk."""
    converged, first, gains, clarity = [], [], [], []
    for seed, delay_ms, rt60_s in [(1, 0, 0.3), (2, 40, 0.2), (3, 120, 0.4), (4, 300, 0.3)]:
        microphone, far = echo_alone(delay_ms, rt60_s, seed)
        out = cancel(microphone, far)
        converged.append(level_db(microphone[TALKING]) - level_db(out[TALKING]))
        first.append(level_db(microphone[FIRST]) - level_db(out[FIRST]))
    for seed, ser_db in [(1, -10.0), (2, 0.0), (3, 10.0)]:
        microphone, far, near = double_talk(ser_db, seed)
        out = cancel(microphone, far)
        out = in_time(out, near)
        gains.append(gain_db(out, near[TALKING]))
        clarity.append(si_sdr_db(out, near[TALKING]))
    return [float(np.mean(values)) for values in (converged, first, gains, clarity)]


def main() -> None:
    print("| 16 kHz | echo alone, converged | first 2 s | near end in double talk | its SI-SDR |")
    print("|---|---|---|---|---|")
    for name, cancel in SYSTEMS.items():
        converged, first, gain, clarity = figures(cancel)
        print(f"| {name} | {converged:.1f} dB | {first:.1f} dB | {gain:+.1f} dB | {clarity:.1f} dB |")


if __name__ == "__main__":
    main()
