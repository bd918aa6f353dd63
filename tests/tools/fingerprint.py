"""What the stages make of seeded signals, and a hash of it for each instruction set.

Run it before and after a change that must change no output, on one machine with one compiler, and compare:

    python tests/tools/fingerprint.py > before.txt

Another compiler or processor may round differently, so no hash is kept in the repository;
`tests/dsp/test_fingerprint.py` holds that the instruction sets agree.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp

Samples = NDArray[np.float32]

SECONDS = 8.0
INSTRUCTION_SETS = ("baseline", "avx2", "avx512", "neon")  # those that a processor lacks are lowered to what it has
RESIDUALS: tuple[dsp.EchoResidual, ...] = ("neural", "spectral")
MODES: tuple[dsp.NoiseMode, ...] = ("neural", "classical")


def talk(rate_hz: int, seed: int) -> Samples:
    """Noise that comes and goes as syllables and pauses do."""
    random = np.random.default_rng(seed)
    samples = random.standard_normal(int(SECONDS * rate_hz))
    smooth = np.cumsum(samples) * 0.02
    smooth -= np.convolve(smooth, np.ones(201) / 201, mode="same")
    steps = random.random(int(SECONDS * 8) + 1) * (random.random(int(SECONDS * 8) + 1) > 0.3)
    loudness = np.repeat(steps, rate_hz // 8)[: len(samples)]
    return np.clip(smooth * loudness * 0.3 / (np.std(smooth) + 1e-9), -1, 1).astype(np.float32)


def echo_scene(rate_hz: int, far_channels: int) -> tuple[Samples, Samples]:
    """Microphone and far end: two jumps of the delay, a loudspeaker that bends, a talker from the middle on."""
    random = np.random.default_rng(rate_hz + far_channels)
    far = np.stack([talk(rate_hz, 7 + channel) for channel in range(far_channels)], axis=1)
    echo = np.zeros(len(far))
    for channel in range(far_channels):
        tail = np.arange(rate_hz // 10)
        room = random.standard_normal(len(tail)) * np.exp(-tail / (0.02 * rate_hz)) * 0.08
        room[rate_hz // 200] = 0.6
        echo += np.convolve(np.clip(far[:, channel], -0.4, 0.4), room)[: len(far)]
    third = len(far) // 3
    late = np.concatenate([np.zeros(rate_hz // 20), echo])[: len(far)]
    jumped = np.concatenate([np.zeros(rate_hz // 8), echo])[: len(far)]
    mic = np.where(np.arange(len(far)) < third, late, np.where(np.arange(len(far)) < 2 * third, jumped, late))
    mic[len(far) // 2 :] += 0.5 * talk(rate_hz, 99)[len(far) // 2 :]
    mic += 1e-3 * random.standard_normal(len(far))
    far32 = far.astype(np.float32)
    return mic.astype(np.float32), far32[:, 0].copy() if far_channels == 1 else far32


def in_cuts(process: Callable[..., Samples], *signals: Samples) -> Samples:
    """Every call takes another length."""
    lengths = np.random.default_rng(5).integers(1, 3000, 1000).cumsum()
    parts = zip(*(np.split(signal, lengths[lengths < len(signal)]) for signal in signals), strict=True)
    return np.concatenate([process(*part) for part in parts])


def numbers(stats: Any) -> Samples:
    names = ("erle_db", "delay_ms", "drift_ppm", "converged", "double_talk", "near_end")
    return np.array([float(getattr(stats, name)) for name in names], np.float32)


def echo_outputs(rate_hz: int, channels: int) -> Iterator[tuple[str, list[Samples]]]:
    mic, far = echo_scene(rate_hz, channels)
    for residual in RESIDUALS:
        canceller = dsp.EchoCanceller(rate_hz, far_channels=channels, residual=residual)
        out = in_cuts(canceller.process, mic, far)
        again = in_cuts(canceller.process, mic[rate_hz:], far[rate_hz:])
        yield f"echo {rate_hz} x{channels} {residual}", [out, again, numbers(canceller.stats)]
    pipeline = dsp.CapturePipeline(rate_hz, far_channels=channels)
    out = in_cuts(pipeline.process, mic, far)
    yield f"capture {rate_hz} x{channels} neural", [out, numbers(pipeline.stats)]
    if channels == 1:
        hinted = dsp.EchoCanceller(rate_hz)
        hinted.hint_delay(60.0)
        whole = len(mic) // (rate_hz // 100) * (rate_hz // 100)
        yield f"linear {rate_hz}", list(hinted.linear_stage(mic[:whole], far[:whole]))


def noise_outputs(rate_hz: int) -> Iterator[tuple[str, list[Samples]]]:
    noise = np.random.default_rng(4).standard_normal(int(SECONDS * rate_hz)).astype(np.float32)
    noisy = talk(rate_hz, 3) + np.float32(0.02) * noise
    for mode in MODES:
        suppressor = dsp.NoiseSuppressor(rate_hz, mode=mode)
        yield f"noise {rate_hz} {mode}", [in_cuts(suppressor.process, noisy)]
        bank = dsp.NoiseSuppressorBank(3, rate_hz, mode=mode)
        rows = np.stack([noisy, noisy[::-1], np.roll(noisy, 999)])
        yield f"bank {rate_hz} {mode}", [bank.process(rows), bank.speech_probability]
    detector = dsp.VoiceDetector(rate_hz)
    heard = [detector.process(block) for block in np.array_split(noisy, 700)]
    yield f"voice {rate_hz}", [np.array(heard, np.float32)]
    for to_hz in (16000, 44100):
        yield f"resampler {rate_hz} to {to_hz}", [in_cuts(dsp.Resampler(rate_hz, to_hz).process, noisy)]


def outputs(*, brief: bool = False) -> Iterator[tuple[str, list[Samples]]]:
    """Name and outputs of each stage; `brief` for one rate only."""
    for rate_hz in (16000,) if brief else (16000, 44100, 48000):
        for channels in (1,) if brief else (1, 2):
            yield from echo_outputs(rate_hz, channels)
    for rate_hz in (16000,) if brief else (8000, 16000, 48000):
        yield from noise_outputs(rate_hz)


def report() -> None:
    for name, parts in outputs():
        digest = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:24]
        sys.stdout.write(f"{dsp.active_isa():9}{name:28}{digest}\n")


def main(arguments: list[str]) -> None:
    if arguments:  # a file for what the stages of this process make
        np.savez(arguments[0], isa=dsp.active_isa(), **{name: parts[0] for name, parts in outputs(brief=True)})
    elif os.environ.get("SPIKE_ENGINE_ISA"):
        report()
    else:
        for isa in INSTRUCTION_SETS:
            environment = {**os.environ, "SPIKE_ENGINE_ISA": isa}
            subprocess.run([sys.executable, __file__], env=environment, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
