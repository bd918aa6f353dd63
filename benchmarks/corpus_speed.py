"""Hours of speech that a core cleans in an hour, beside peers: writes docs/tables/corpus_speed.md.

python benchmarks/corpus_speed.py

By the processor time of this process. Wants the dependency group `noise-bench`; peers that are not there are left out.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from suppressors import MILLIONS, Samples, installed

from spike_engine.corpus import Cleaner

TABLE = Path(__file__).parent.parent / "docs" / "tables" / "corpus_speed.md"
RATE_HZ, SECONDS, CLIPS = 16000, 10, 32
TURNS = 3


def clips() -> list[Samples]:
    random = np.random.default_rng(0)
    syllables = (1 + np.sin(np.arange(RATE_HZ * SECONDS) / 3000)) / 2
    return [(0.05 * syllables * random.standard_normal(RATE_HZ * SECONDS)).astype(np.float32) for _ in range(CLIPS)]


def hours(seconds: float, work: Callable[[], object]) -> float:
    """Of sound in an hour of processor time, in the best of some turns."""
    best = np.inf
    for _ in range(TURNS):
        begun = time.process_time()
        work()
        best = min(best, time.process_time() - begun)
    return seconds / best


def as_files(heard: list[Samples], folder: Path) -> list[str]:
    paths = [folder / f"{index}.wav" for index in range(len(heard))]
    for path, samples in zip(paths, heard, strict=True):
        soundfile.write(path, samples, RATE_HZ)
    return [str(path) for path in paths]


def as_bytes(samples: Samples) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE_HZ, format="WAV")
    return file.getvalue()


def ours(heard: list[Samples]) -> dict[str, float]:
    clean, total = Cleaner(rate_hz=RATE_HZ), CLIPS * SECONDS
    batch = {"bytes": [as_bytes(samples) for samples in heard]}
    with tempfile.TemporaryDirectory() as root:
        paths, turn = as_files(heard, Path(root)), iter(range(TURNS))
        return {
            "`Cleaner`, arrays": hours(total, lambda: clean({"array": heard})),
            "`Cleaner`, files in memory": hours(total, lambda: clean(batch)),
            "`Cleaner.files`, `.wav` to `.wav`": hours(total, lambda: clean.files(paths, out=f"{root}/{next(turn)}")),
        }


def main() -> None:
    heard = clips()
    found = ours(heard)
    for name, make in installed(RATE_HZ).items():
        if name in MILLIONS:
            run = make(RATE_HZ)
            title = "`NoiseSuppressor`, one stream" if name == "spike_engine" else name
            found[title] = hours(SECONDS, lambda run=run: run(heard[0]))
    rows = [
        "| | hours per core-hour |",
        "| --- | --- |",
        *(f"| {name} | {value:,.0f} |" for name, value in found.items()),
    ]
    TABLE.write_text("\n".join(rows) + "\n")
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
