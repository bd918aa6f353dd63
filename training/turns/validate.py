"""What becomes of held-out sounds: `python -m training.turns.validate --scenes FILE [--weights FILE.npz]`.

Replays the chain's words of `scenes.py` to the package's turn-taking, so that what is chosen (a constant of it, one
training run of several) is chosen on other sounds than the figures in the docs come from.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spike_engine import UserStartedSpeaking
from spike_engine.duplex import voice_shape
from spike_engine.duplex.turn_taking import Floor, TurnTaking

FRAME = voice_shape.RATE_HZ // 100
LABELS = ("word", "nod", "neither")


@dataclass
class Fate:
    """Of the sounds of one kind: how many, and the times in ms of those that held, started a turn, went on."""

    sounds: int = 0
    held: list[int] = field(default_factory=list)
    started: list[int] = field(default_factory=list)
    resumed: list[int] = field(default_factory=list)

    def row(self, kind: str) -> str:
        def told(times: list[int]) -> str:
            middle, late = np.percentile(times or [np.nan], [50, 95])
            return f"{100 * len(times) / self.sounds:5.1f} % after {middle:4.0f} (95 %: {late:4.0f}) ms"

        return (
            f"{kind:32s} {self.sounds:4d}  turns {told(self.started)}  held {told(self.held)}  on {told(self.resumed)}"
        )


def replay(file: dict[str, NDArray], begin: int, end: int, fate: Fate) -> None:
    """One sound, in frames; listening begins a third of a second before it."""
    turns, held_at = TurnTaking(), 0
    fate.sounds += 1
    for frame in range(max(0, begin - 35), min(end, len(file["voice_active"]))):
        voice = file["voice"][frame * FRAME : (frame + 1) * FRAME].astype(np.float32) / np.float32(32767)
        told = turns.on_frame(
            voice,
            active=bool(file["voice_active"][frame]),
            suspected=bool(file["voice_suspected"][frame]),
            ai_heard=True,
        )
        at_ms = 10 * (frame - begin + 1)
        if Floor.HOLD in told and not held_at:
            fate.held.append(at_ms)
            held_at = at_ms
        if Floor.RESUME in told:
            fate.resumed.append(at_ms - held_at)
        if any(isinstance(each, UserStartedSpeaking) for each in told):
            fate.started.append(at_ms)
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", required=True, type=Path)
    parser.add_argument("--weights", type=Path, help="of one network, in place of the package's")
    options = parser.parse_args()
    if options.weights:
        stored = np.load(options.weights)
        network = {name: stored[name].astype(np.float32) for name in stored.files}
        voice_shape._networks = lambda: (network,)
    loaded = np.load(options.scenes)
    file = {name: loaded[name] for name in loaded.files}
    kinds = list(file["kinds"])
    fates: dict[str, Fate] = {}
    ends = np.append(file["events"][1:, 0], len(file["voice_active"]))
    for (begin, end, label, kind), next_begin in zip(file["events"], ends, strict=True):
        replay(file, begin, min(end + 85, next_begin), fates.setdefault(f"{LABELS[label]}: {kinds[kind]}", Fate()))
        if next_begin - end > 90:  # the loudspeaker alone, the sound being over
            replay(file, end + 75, next_begin, fates.setdefault("neither: own voice", Fate()))
    for kind, fate in sorted(fates.items()):
        print(fate.row(kind))


if __name__ == "__main__":
    main()
