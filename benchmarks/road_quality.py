"""A voice over a network that loses and delays packets, by three stacks: a table of delay, PESQ and PLCMOS.

Needs root and Linux (namespaces, TUN devices), the group ``road-bench`` of pyproject.toml, and an idle machine.
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
# What the network does: share of packets lost, mean length of losses in a row, most delay in ms.
NETWORKS = {
    "loss": [(loss, 1, 0) for loss in (0.0, 0.02, 0.05, 0.1, 0.2, 0.3)],
    "bursts": [(loss, 3, 0) for loss in (0.02, 0.05, 0.1, 0.2)],
    "jitter": [(0.0, 1, 40), (0.0, 1, 120), (0.02, 1, 120)],
}


def run(stack: str, network: tuple[float, int, int], voice: Path, seconds: int) -> list[dict[str, object]]:
    loss, burst, jitter_ms = network
    command = [
        str(HERE / "road" / "lossy.sh"),
        stack,
        f"{loss:g}",
        str(seconds),
        str(voice),
        str(burst),
        str(jitter_ms),
    ]
    output = subprocess.run(
        command,
        env={"PYTHON": sys.executable} | os.environ,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    ).stdout
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def row(results: list[dict[str, object]]) -> str:
    ways = {result["way"]: result for result in results}
    down, up = ways.get("down", {}), ways.get("up", {})
    first = down or up
    network = f"{100 * float(str(first['loss'])):g} %"
    network += f", bursts of {first['burst']:g}" if first["burst"] != 1.0 else ""
    network += f", {first['jitter_ms']:g} ms" if first["jitter_ms"] else ""
    cells = [network, first["stack"]]
    cells += [down.get(name, "no call") for name in ("delay_ms", "delay_p95_ms", "pesq", "plcmos")]
    cells += [up.get(name, "no call") for name in ("pesq", "plcmos")]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voice", type=Path, help="a recording of some 30 s of clear speech")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--stacks", nargs="+", default=STACKS, choices=STACKS)
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=NETWORKS)
    options = parser.parse_args()
    heads = "loss, jitter", "stack", "delay ms", "p95", "PESQ heard", "PLCMOS", "PESQ sent", "PLCMOS"
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for network in (network for name in options.networks for network in NETWORKS[name]):
        for stack in options.stacks:
            if results := run(stack, network, options.voice, options.seconds):
                print(row(results), flush=True)


main()
