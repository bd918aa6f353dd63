"""How many calls a server holds until it bends, by `spike-engine call`: ours, and a bot of pipecat's.

`python benchmarks/calls.py` takes under four minutes and prints a table in Markdown. Both servers have the same mind:
they hear that somebody speaks, and hum an answer. Calls begin one after the other and go on until all have begun. A
server bends with so many calls that p95 of the time to an answer is above the bound in two stretches of time running.
Ours refuses calls (503) where its own loop is late. The rig is on the same machine and has a core of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp

from spike_engine.server import ConversationServer, HummingPersona

TOOLS = Path(__file__).parents[1] / "tests" / "tools"
TURN = {"say": "Is there anybody at home, or is everybody out?", "pause_s": [0.2, 0.8]}
TURN_S = 5.0  # about what saying it, its answer and the pause take


class Bot(HummingPersona):
    """Answers in a second and a half."""

    seconds_per_letter = 0.06


async def serve(port: int, workers: int) -> None:
    async with ConversationServer(port=port, persona=Bot, workers=workers, max_conversations=1000):
        await asyncio.Event().wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def answers(url: str) -> None:
    async with asyncio.timeout(60), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(url) as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)


async def measure(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """The report of one run."""
    port, token = free_port(), []
    command = [__file__, "--serve", str(port), "--workers", str(options.workers)]
    status = f"http://127.0.0.1:{port}/health"
    if kind == "pipecat":
        command = [str(TOOLS / "pipecat_bot.py"), "-t", "webrtc", "--host", "127.0.0.1", "--port", str(port)]
        status, token = f"http://127.0.0.1:{port}/status", ["--token", "none"]
    silent = asyncio.subprocess.DEVNULL
    server = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=silent, stderr=silent)
    try:
        await answers(status)
        with tempfile.TemporaryDirectory() as folder:
            ramp_s = 60 * options.sessions / options.per_minute
            script = {"turns": [TURN], "repeat": max(2, round(ramp_s / TURN_S)), "greeting": False}
            (Path(folder) / "talk.json").write_text(json.dumps(script))
            call = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "spike_engine.cli", "call", f"http://127.0.0.1:{port}", *token, "--json"),
                *("--sessions", str(options.sessions), "--ramp", f"{options.per_minute}/min"),
                *("--processes", str(options.processes), "--script", f"{folder}/talk.json", "--output", folder),
                *("--expect", f"p95_answer_ms<{options.bound_ms}"),
                stdout=asyncio.subprocess.PIPE,
            )
            out, _ = await call.communicate()
        return dict(json.loads(out))
    finally:
        server.kill()
        await server.wait()


async def main(options: argparse.Namespace) -> None:
    bound = f"{options.bound_ms:g}"
    print(f"| server | calls at once | refused (503) | bends at | join_ms p50, p95 | answer_ms, p95 below {bound} |")
    print("|---|---|---|---|---|---|")
    for kind in options.servers:
        report = await measure(kind, options)
        times = [
            f"{report['metrics'][name]['p50']}, {report['metrics'][name]['p95']}" for name in ("join_ms", "answer_ms")
        ]
        refused = report["faults"].pop("HTTP_503", 0)
        bend = report["bends_at"] or "-"
        print(f"| {kind} | {report['totals']['most_active']:.0f} | {refused} | {bend} | {times[0]} | {times[1]} |")
        print(
            f"{kind}: the rig was up to {report['rig_lag_ms']} ms late; faults: {report['faults']}",
            file=sys.stderr,
            flush=True,
        )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("servers", nargs="*", default=["embedded", "pipecat"], help="embedded, pipecat")
    arguments.add_argument("--sessions", type=int, default=48)
    arguments.add_argument("--per-minute", type=float, default=72.0)
    arguments.add_argument("--processes", type=int, default=1)
    arguments.add_argument("--workers", type=int, default=1)
    arguments.add_argument("--bound-ms", type=float, default=1500.0)
    arguments.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    asyncio.run(serve(given.serve, given.workers) if given.serve else main(given))
