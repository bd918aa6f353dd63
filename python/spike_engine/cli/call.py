"""``spike-engine call``: many calls at once, a report, and an exit code that says whether all was as expected."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

from rich.console import Console

from spike_engine.addresses.text import printable
from spike_engine.addresses.web import checked
from spike_engine.options import ClientOptions
from spike_engine.rig.figures import Expectation
from spike_engine.rig.plan import Plan
from spike_engine.rig.report import Run, write_report
from spike_engine.rig.runner import run
from spike_engine.rig.screen import Screen, table_of
from spike_engine.rig.script import DEFAULT, load_script
from spike_engine.rig.voices import voices_of


async def make_calls(options: argparse.Namespace) -> int:
    """Make them; 0 where all that was expected was met, else 1."""
    expectations = [Expectation.parse(text) for text in options.expect]
    script = load_script(options.script) if options.script else DEFAULT
    # What is wrong with the address or the token is told now, and not by each call.
    ClientOptions(
        conversation_url=options.url,
        token=options.token or "-",
        allow_insecure=options.allow_insecure,
        ca_file=options.ca_file,
    )
    plan = Plan(
        checked(options.url, "the address"),
        options.token or None,
        script,
        await voices_of(script.lines),
        sessions=options.sessions,
        per_second=options.ramp,
        seed=options.seed,
        transport=options.transport,
        allow_insecure=options.allow_insecure,
        ca_file=options.ca_file,
    )
    console = Console(stderr=True, quiet=options.json)
    processes = options.processes or min(os.cpu_count() or 1, options.sessions)
    with Screen(plan.sessions, console) as screen:
        await run(plan, screen.take, processes=processes, cluster=options.cluster)
    settings = {
        "address": plan.url,
        "sessions": plan.sessions,
        "per_second": plan.per_second,
        "script": str(options.script or "built in"),
        "seed": plan.seed,
        "processes": processes,
        "cluster": options.cluster or "none",
    }
    records = sorted(screen.records, key=lambda record: record.number)
    finished = Run(settings, records, expectations, screen.lag_ms)
    files = await asyncio.to_thread(write_report, finished, options.output)
    _show(finished, files, console, as_json=options.json)
    return 0 if all(met for _, _, met in finished.outcomes) else 1


def _show(finished: Run, files: list[Path], console: Console, *, as_json: bool) -> None:
    missed = [(expected, value) for expected, value, met in finished.outcomes if not met]
    if as_json:
        print(json.dumps(finished.as_dict(), indent=1))  # noqa: T201
    else:
        totals = finished.figures.totals
        title = f"{totals['sessions']:.0f} calls, {totals['joined']:.0f} joined, {totals['failed']:.0f} failed"
        console.print(table_of(finished.figures, title))
        console.print(finished.warning or None, style="yellow", highlight=False, soft_wrap=True)
        console.print(" ".join(map(str, files)), highlight=False, soft_wrap=True)
    for expected, value in missed:
        print(printable(f"spike-engine: expected {expected.text}, was {value:g}"), file=sys.stderr)  # noqa: T201
