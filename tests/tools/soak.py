"""A day of audio, faster than real time: memory stays flat, and silence after sound costs no more than sound.

python tests/tools/soak.py --hours 24
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rooms import FAR, NEAR, echo_of, impulse_response, speech

from spike_engine import dsp

RATE_HZ = 48000
SECOND = RATE_HZ
SOUND_S, SILENCE_S = 45, 15  # of each minute; the silence is digital, where recursive filters fade into denormals
MOST_GROWTH_KB = 2048
MOST_SLOWDOWN = 1.5

Samples = NDArray[np.float32]


def minute() -> tuple[list[Samples], list[Samples]]:
    """Microphone and far end by seconds: both talk, then nothing."""
    far = speech(FAR, RATE_HZ, SOUND_S)
    near = np.roll(speech(NEAR, RATE_HZ, SOUND_S), 7 * SECOND)
    noise = 0.001 * np.random.default_rng(0).standard_normal(len(far)).astype(np.float32)
    mic = echo_of(far, impulse_response(RATE_HZ, 0.3, 60.0, -6.0, seed=5)) + 0.5 * near + noise
    silence = np.zeros((SILENCE_S, SECOND), np.float32)
    return [*mic.reshape(-1, SECOND), *silence], [*far.reshape(-1, SECOND), *silence]


def give_back_free_memory() -> None:
    """Have the C library return what is free, which would look like a leak (glibc; elsewhere it does so by itself)."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def resident_kb() -> int:
    fields = Path("/proc/self/status").read_text().split("VmRSS:")[1].split()
    return int(fields[0])


def soak(name: str, process: Callable[[Samples, Samples], Samples], hours: float) -> bool:
    """Stream through one stage and print what it took; whether it is sound."""
    mic, far = minute()
    medians: dict[str, list[float]] = {"sound": [], "silence": []}
    memory_kb, finite = [], True
    for _ in range(round(60 * hours)):
        times: dict[str, list[float]] = {"sound": [], "silence": []}  # of a minute: those of a day would grow by 2.6 MB
        for second in range(len(mic)):
            began = time.process_time()
            out = process(mic[second], far[second])
            took = time.process_time() - began
            finite = finite and bool(np.isfinite(out).all())
            if second < SOUND_S or second >= SOUND_S + 2:  # not while it still fades
                times["sound" if second < SOUND_S else "silence"].append(took)
        for kind, each in times.items():
            medians[kind].append(float(np.median(each)))
        gc.collect()
        memory_kb.append(resident_kb())
    settled = memory_kb[min(5, len(memory_kb) - 1)]
    growth_kb = max(memory_kb) - settled
    sound, silence = (1e4 * float(np.median(medians[kind])) for kind in ("sound", "silence"))  # us per 10 ms
    print(
        f"| {name} | {hours:g} | {sound:.0f} | {silence:.0f} | {growth_kb} | {'yes' if finite else 'NO'} |", flush=True
    )
    return finite and growth_kb < MOST_GROWTH_KB and silence < MOST_SLOWDOWN * sound


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    hours = parser.parse_args().hours
    stages: dict[str, Any] = {
        "echo canceller": dsp.EchoCanceller(RATE_HZ).process,
        "capture pipeline": dsp.CapturePipeline(RATE_HZ).process,
    }
    print("| | hours | us per 10 ms of sound | of silence | memory grew by / kB | all finite |")
    print("|---|---|---|---|---|---|")
    sound = [soak(name, process, hours) for name, process in stages.items()]
    return 0 if all(sound) else 1


if __name__ == "__main__":
    sys.exit(main())
