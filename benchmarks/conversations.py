"""How many conversations one process holds: CPU by part, lag of the event loop, memory; beside aiortc and libwebrtc.

Prints tables in Markdown. Each row has a process of its own that is measured, and one at the other end that is not.
Bots have a voice both ways, 20 ms Opus, without echo and noise. Clients are whole conversations with the embedded
server: nothing cleaned, or echo, noise and gain at the rate of their microphone. Servers hold conversations with such
clients, who listen; an avatar is a picture that is drawn and encoded besides.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

PROCESS = str(Path(__file__).parent / "crowd" / "process.py")
ROWS = {
    "bots": [1, 10, 20, 40, 60, 90],
    "aiortc": [1, 10, 20, 40],
    "wrtc": [1, 10, 20, 40],
    "clients, nothing cleaned": [20, 40],
    "clients, chain at 16 kHz": [10, 30],
    "clients, chain at 48 kHz": [5, 15],
    "server": [20, 40],
    "server with avatars": [2, 4],
}
MOST_S = 90.0  # a row that takes longer has failed
PARTS = ["receive", "decode", "encode", "SRTP, sockets", "chain", "turns", "picture", "the rest"]


async def row(kind: str, count: int, python: str) -> dict[str, Any]:
    """The figures of one row."""
    near, far = [await _process(each, side, kind, count) for each, side in ((python, "near"), (sys.executable, "far"))]
    try:
        async with asyncio.timeout(MOST_S):
            passing_on = asyncio.create_task(_pass_on(far, near))
            found = await _pass_on(near, far)
            passing_on.cancel()
            return found
    finally:
        for process in (far, near):
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _process(python: str, *arguments: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        python,
        PROCESS,
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=None if os.environ.get("VERBOSE") else asyncio.subprocess.DEVNULL,
        limit=1 << 20,
    )


async def _pass_on(speaker: asyncio.subprocess.Process, listener: asyncio.subprocess.Process) -> dict[str, Any]:
    """Hand each line to the other one; gives the result, empty where `speaker` ended without one."""
    assert speaker.stdout
    assert listener.stdin
    while line := await speaker.stdout.readline():
        if (message := json.loads(line)).get("result"):
            return dict(message["result"])
        listener.stdin.write(line)
    return {}


def first_table(rows: list[tuple[str, int, dict[str, Any]]]) -> None:
    print("| Conversations | At once | CPU, of a core | µs for 20 ms of one | Lag p99 | Heard | Memory each |")
    print("|---|---|---|---|---|---|---|")
    for kind, count, found in rows:
        if not found:
            print(f"| {kind} | {count} | failed | | | | |")
            continue
        heard = "" if found["heard"] is None else f"{found['heard']:.0%}"
        print(
            f"| {kind} | {count} | {found['cpu']:.0%} | {found['cpu'] / count / 50 * 1e6:.0f} | "
            f"{found['lag_p99_ms']:.1f} ms | {heard} | {found['memory_mb']:.1f} MB |"
        )


def second_table(rows: list[tuple[str, int, dict[str, Any]]]) -> None:
    print(f"\n| µs for 20 ms of one conversation | At once | {' | '.join(PARTS)} |")
    print("|---|---|" + "---|" * len(PARTS))
    for kind, count, found in rows:
        if shares := found.get("parts"):
            each_us = found["cpu"] / count / 50 * 1e6
            print(f"| {kind} | {count} | " + " | ".join(f"{each_us * shares[part]:.0f}" for part in PARTS) + " |")


async def measured(options: argparse.Namespace) -> list[tuple[str, int, dict[str, Any]]]:
    rows = []
    for kind in options.kinds:
        if kind == "wrtc" and not options.wrtc_python:
            print("wrtc is not installed (or --wrtc-python): no row of libwebrtc's.\n")
            continue
        for count in options.counts or ROWS[kind]:
            python = options.wrtc_python if kind == "wrtc" else sys.executable
            try:
                found = await row(kind, count, python)
            except TimeoutError:
                found = {}
            rows.append((kind, count, found))
            print(kind, count, {name: found.get(name) for name in ("cpu", "lag_p99_ms", "heard")}, file=sys.stderr)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--counts", nargs="+", type=int, help="in place of those of each kind")
    parser.add_argument("--wrtc-python", help="an interpreter that has wrtc, where this one has not")
    options = parser.parse_args()
    if not options.wrtc_python and importlib.util.find_spec("webrtc"):
        options.wrtc_python = sys.executable
    rows = asyncio.run(measured(options))
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores\n")
    first_table(rows)
    second_table(rows)


if __name__ == "__main__":
    main()
