"""A voice over a network that loses packets, by spike_engine, aiortc and libwebrtc: a table of delay, PESQ and PLCMOS.

Needs root and Linux (namespaces, iptables), the group ``road-bench`` of pyproject.toml, and an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
STACKS = ("spike_engine", "aiortc", "wrtc")
LOSSES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3)
BURSTS = ((0.05, 3), (0.1, 3))  # share of loss and mean length


def run(stack: str, loss: float, burst: int | None, voice: Path, seconds: int) -> list[dict[str, object]]:
    command = [str(HERE / "road" / "lossy.sh"), stack, f"{loss:g}", str(seconds), str(voice)]
    output = subprocess.run(
        command + ([str(burst)] if burst else []),
        env=os.environ | {"PYTHON": sys.executable},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    ).stdout
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def row(results: list[dict[str, object]]) -> str:
    ways = {result["way"]: result for result in results}
    down, up = ways.get("down", {}), ways.get("up", {})
    first = down or up
    loss = f"{100 * float(str(first['loss'])):g} %" + (f", bursts of {first['burst']:g}" if first.get("burst") else "")
    cells = [loss, first["stack"]]
    cells += [down.get(name, "no call") for name in ("delay_ms", "pesq", "plcmos")]
    cells += [up.get(name, "no call") for name in ("pesq", "plcmos")]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voice", type=Path, help="a recording of some 30 s of clear speech")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--stacks", nargs="+", default=STACKS, choices=STACKS)
    options = parser.parse_args()
    print("| loss | stack | delay ms | PESQ heard | PLCMOS | PESQ sent | PLCMOS |\n|---|---|---|---|---|---|---|")
    for loss, burst in (*((loss, None) for loss in LOSSES), *BURSTS):
        for stack in options.stacks:
            if results := run(stack, loss, burst, options.voice, options.seconds):
                print(row(results), flush=True)


main()
