"""Chooses between weights: voices, noises and rooms that `shared/prepare.py` keeps from training.

python -m training.noise.validate --corpus DIR [DIR ...] --rooms DIR --weights FILE [FILE ...] [--peers]

PESQ, STOI and DNSMOS's OVRL at 16 kHz of dry mixtures and of mixtures in rooms, -5 to 15 dB. `--peers` adds what
benchmarks/suppressors.py finds installed, to see whether these scenes rank them as other people's do. Needs pesq,
pystoi and speechmos, and the package itself installed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from pesq import pesq
from pystoi import stoi
from speechmos import dnsmos
from training.shared.prepare import Recording, Rooms, active_level, convolved, load, recordings

from spike_engine import _core

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

RATE_HZ, SECONDS = 16000, 8
SNRS_DB = (-5.0, 0.0, 5.0, 10.0, 15.0)
Samples = NDArray[np.float32]
Run = Callable[[Samples], Samples]


@dataclass(frozen=True)
class Scene:
    """`noisy` and the voice in it that is to be kept, 16 kHz."""

    kind: str
    noisy: Samples
    clean: Samples


def joined(random: np.random.Generator, from_: list[Recording], *, pause_s: float) -> Samples:
    """Recordings one after the other, 48 kHz."""
    parts: list[Samples] = []
    while sum(map(len, parts)) < SECONDS * 48000:
        x = load(from_[random.integers(len(from_))].path)[: SECONDS * 48000]
        parts += [x, np.zeros(int(pause_s * 48000), np.float32)]
    return np.concatenate(parts)[: SECONDS * 48000]


def scenes(corpora: list[Path], rooms: Rooms, count: int) -> Iterator[Scene]:
    spoken = [r for r in recordings(corpora, "speech", validation=True) if r.snr_db >= 35]
    noises = recordings(corpora, "noise", validation=True)
    packages = sorted({r.package for r in spoken})
    for number in range(count):
        random = np.random.default_rng([17, number])
        package = packages[number % len(packages)]
        candidates = [r for r in spoken if r.package == package]
        speaker = candidates[random.integers(len(candidates))].speaker
        voice = joined(random, [r for r in candidates if r.speaker == speaker], pause_s=0.3)
        noise = joined(random, noises, pause_s=0.0)
        kind, clean = "dry", voice
        if number // len(packages) % 2:
            kind, (talker, early, far) = "room", rooms.draw(random)
            voice, clean = convolved(voice, talker, early)
            (noise,) = convolved(noise, far)
        noise *= active_level(voice) / (active_level(noise) + 1e-6) * 10 ** (-SNRS_DB[number % len(SNRS_DB)] / 20)
        scale = 0.06 / active_level(voice + noise)
        noisy, clean = (soxr.resample(scale * x, 48000, RATE_HZ).astype(np.float32) for x in (voice + noise, clean))
        yield Scene(kind, np.clip(noisy, -1, 1), clean)


def of_weights(path: Path) -> Run:
    weights = _core.Weights(path.read_bytes(), path.name)

    def run(x: Samples) -> Samples:
        suppressor = _core.NoiseSuppressor(RATE_HZ, None, weights)
        delay = suppressor.latency_samples
        return suppressor.process(np.pad(x, (0, delay)), None)[delay:]

    return run


def peers() -> dict[str, Run]:
    from noise_quality import cleaned  # noqa: PLC0415 (benchmarks/)
    from suppressors import installed  # noqa: PLC0415

    return {name: (lambda x, make=make: cleaned(make, x, x, RATE_HZ)) for name, make in installed(RATE_HZ).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, type=Path, nargs="+")
    parser.add_argument("--rooms", required=True, type=Path, help="simulated ones; every tenth is taken")
    parser.add_argument("--weights", required=True, type=Path, nargs="+")
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--peers", action="store_true")
    options = parser.parse_args()
    systems: dict[str, Run] = {"nothing": lambda x: x} | {str(path): of_weights(path) for path in options.weights}
    systems |= peers() if options.peers else {}
    rooms = Rooms(options.rooms, recordings(options.corpus, "rir", validation=True), validation=True)
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for scene in scenes(options.corpus, rooms, options.scenes):
        for name, run in systems.items():
            out = np.clip(run(scene.noisy)[: len(scene.clean)], -1, 1)
            scores = pesq(RATE_HZ, scene.clean, out, "wb"), stoi(scene.clean, out, RATE_HZ)
            found.setdefault((name, scene.kind), []).append((*scores, float(dnsmos.run(out, RATE_HZ)["ovrl_mos"])))
    print("| weights | dry: PESQ, STOI, OVRL | in rooms |\n|---|---|---|")
    for name in systems:
        cells = [np.mean(found[name, kind], axis=0) for kind in ("dry", "room")]
        print(f"| {name} | " + " | ".join(f"{p:.3f} {s:.3f} {o:.3f}" for p, s, o in cells) + " |")


if __name__ == "__main__":
    main()
