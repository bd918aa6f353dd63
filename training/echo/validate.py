"""Measures weights of the echo mask on scenarios that are neither trained on nor tested with.

python -m training.echo.validate --corpus DIR ... --weights FILE [FILE ...]

The scenarios are made as the tests' are, of other voices, rooms and seeds: what is chosen in the recipe or in the
residual stage is chosen on these. Wants the dependency group `echo-bench`.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from training.shared.prepare import recordings

from spike_engine import _core, dsp

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "tools"))

import echo_scenarios
from echo_metrics import figures

RATE_HZ = 16000
VOICES = {"allison": "qabcs-data", "italian": "festvox-ru", "russian": "festvox-ru"}  # for those of the tests' plans
COLUMNS = {
    "far": ("erle_db", "first_erle_db", "echo_mos"),
    "double": ("echo_mos", "degradation_mos", "pesq", "stoi", "near_gain_db"),
    "near": ("pesq", "near_gain_db"),
}


def plans(again: int) -> list[echo_scenarios.Plan]:
    """The tests' plans, `again` times with other seeds, delays and reverberation."""
    made, random = [], np.random.default_rng(77)
    for at in range(again):
        for plan in echo_scenarios.ALL:
            voices = ("allison", "italian") if random.random() < 0.5 else ("italian", "allison")
            if not plan.stereo and plan.name not in {"drift 100", "delay 700"}:
                made.append(
                    replace(plan, name=f"{plan.name}/{at}", seed=plan.seed + 1000 * (at + 1), far_voice=voices[0],
                            near_voice=voices[1], rt60_s=float(random.uniform(0.15, 0.6)),
                            delay_ms=plan.delay_ms * float(random.uniform(0.5, 1.2)))
                )  # fmt: skip
    return made


def sentences_of(corpora: list[Path]) -> Callable[[str], tuple[NDArray[np.float32], ...]]:
    known = recordings(corpora, "speech")

    @cache
    def sentences(voice: str) -> tuple[NDArray[np.float32], ...]:
        found = []
        for recording in [r for r in known if r.package == VOICES[voice] and 1.0 <= r.seconds <= 15.0][::4]:
            x, rate_hz = soundfile.read(recording.path, dtype="float32")
            x = soxr.resample(x, rate_hz, RATE_HZ).astype(np.float32)
            loud = np.flatnonzero(np.abs(x) > 0.02 * np.abs(x).max())
            found.append(x[loud[0] : loud[-1]])
        return tuple(found)

    return sentences


def canceller(weights: Path | None) -> Callable[[echo_scenarios.Scenario], NDArray[np.float32]]:
    def cancel(scenario: echo_scenarios.Scenario) -> NDArray[np.float32]:
        if weights is None:
            return dsp.EchoCanceller(RATE_HZ, residual="spectral").process(scenario.microphone, scenario.far)
        if str(weights) == "linear":
            return dsp.EchoCanceller(RATE_HZ, residual="spectral").linear_stage(scenario.microphone, scenario.far).error
        core = _core.EchoCanceller(RATE_HZ, 1, _core.Weights(weights.read_bytes(), weights.name))
        return core.process(scenario.microphone, scenario.far, None)

    return cancel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, type=Path, nargs="+")
    parser.add_argument(
        "--weights", required=True, type=Path, nargs="+", help="or `linear`, for the linear stage alone"
    )
    parser.add_argument("--again", type=int, default=1)
    parser.add_argument("--each", action="store_true", help="print each scenario's figures")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    echo_scenarios.sentences = sentences_of(options.corpus)
    scenarios = [echo_scenarios.build(plan, RATE_HZ) for plan in plans(options.again)]
    for weights in [None, *options.weights]:
        found: dict[tuple[str, str], list[float]] = {}
        for scenario in scenarios:
            of_this = figures(scenario, canceller(weights)(scenario))
            if options.each:
                print(f"  {scenario.name:22}", " ".join(f"{name} {value:.2f}" for name, value in of_this.items()))
            for name, value in of_this.items():
                found.setdefault((scenario.kind, name), []).append(value)
        cells = [
            f"{kind} {name} {np.mean(found[kind, name]):.2f} ({min(found[kind, name]):.2f})"
            for kind, names in COLUMNS.items()
            for name in names
        ]
        print(weights.name if weights else "spectral", "|", " | ".join(cells), flush=True)


if __name__ == "__main__":
    main()
