"""Echo cancellers on real recordings, without a clean near end: AECMOS, and how far the echo goes down.

python benchmarks/echo_recordings.py FOLDER [--mean]

Each folder in FOLDER holds `mic.flac` and `far.flac`, and its name or a table in README.md says what is heard: `fe` the
far end alone, `dt` double talk, `dt_move` double talk with movement. Wants `speechmos` and, for the peer, `livekit`.
"""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "tools"))

from echo_quality import SYSTEMS  # noqa: E402
from rooms import Samples, level_db  # noqa: E402

from spike_engine import dsp, frames  # noqa: E402

KINDS = {"fe": "st", "dt": "dt", "dt_move": "dt"}
COMPARED = ("nothing", "WebRTC AEC3 (livekit)", "spike_engine, spectral", "spike_engine")
Cancel = Callable[[Samples, Samples, int], Samples]


def decoded(path: Path) -> tuple[Samples, int]:
    with av.open(path) as container:
        rate_hz = container.streams.audio[0].rate
        parts = [frames.audio_to_ndarray(frame, channels=1) for frame in container.decode(audio=0)]
    return np.concatenate(parts).astype(np.float32), rate_hz


def kinds_of(folder: Path) -> dict[str, str]:
    """What the table of README.md says of each recording."""
    rows = re.findall(r"^\| (\S+) \| (\w+) \|", (folder / "README.md").read_text(), re.MULTILINE)
    return {name: kind for name, kind in rows if kind in KINDS}


def as_16k(samples: Samples, rate_hz: int) -> Samples:
    samples = samples if rate_hz == 16000 else dsp.resample(samples, rate_hz, 16000)
    return np.clip(samples, -1.0, 1.0)


def judged(kind: str, far: Samples, microphone: Samples, out: Samples, rate_hz: int) -> tuple[float, float, float]:
    """Echo MOS, degradation MOS, and by how many dB the level has gone down."""
    from speechmos import aecmos  # noqa: PLC0415

    signals = [as_16k(x, rate_hz) for x in (far, microphone, out)]
    count = min(map(len, signals))
    parts = -(-count // (20 * 16000))  # AECMOS hears 20 s at most
    made = []
    for part in range(parts):
        heard = [x[part * count // parts : (part + 1) * count // parts] for x in signals]
        made.append(aecmos.run(dict(zip(("lpb", "mic", "enh"), heard, strict=True)), sr=16000, talk_type=KINDS[kind]))
    echo, degradation = (float(np.mean([x[name] for x in made])) for name in ("echo_mos", "deg_mos"))
    return echo, degradation, level_db(microphone) - level_db(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--systems", nargs="*", default=COMPARED, choices=SYSTEMS)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    print("| recording | kind | " + " | ".join(options.systems) + " |")
    print("| --- | --- |" + " --- |" * len(options.systems))
    for name, kind in sorted(kinds_of(options.folder).items(), key=lambda item: item[::-1]):
        microphone, rate_hz = decoded(options.folder / name / "mic.flac")
        far = decoded(options.folder / name / "far.flac")[0]
        count = min(len(microphone), len(far))
        microphone, far = microphone[:count], far[:count]
        cells = []
        for system in options.systems:
            mos = judged(kind, far, microphone, SYSTEMS[system](microphone, far, rate_hz), rate_hz)
            found.setdefault((kind, system), []).append(mos)
            cells.append("{:.2f}, {:.2f}, {:.1f} dB".format(*mos))
        print(f"| {name[:28]} | {kind} | " + " | ".join(cells) + " |", flush=True)
    for kind in KINDS:
        cells = []
        for system in options.systems:
            figures = np.array(found[kind, system])
            worst = figures.min(axis=0)
            cells.append(", ".join(f"{m:.2f} ({w:.2f})" for m, w in zip(figures.mean(axis=0), worst, strict=True)))
        print(f"| mean (worst) | {kind} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
