"""``spike-engine call``: many calls at once, a report, and an exit code that says whether all was as expected."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from rich.console import Console

from spike_engine.addresses.text import printable
from spike_engine.addresses.web import checked
from spike_engine.lifetime import signals
from spike_engine.options import ClientOptions
from spike_engine.rig.figures import Expectation
from spike_engine.rig.plan import Plan
from spike_engine.rig.report import Run, write_report
from spike_engine.rig.runner import run
from spike_engine.rig.screen import Screen, table_of
from spike_engine.rig.script import DEFAULT, load_script
from spike_engine.rig.voices import voices_of


async def make_calls(options: argparse.Namespace) -> int:
    """Make them; 0 where one was joined and all that was expected was met, else 1. Stopped by a signal, 128 and more.

    A signal ends the calls, not the report.
    """
    expectations = [Expectation.parse(text) for text in options.expect]
    plan = await _plan_of(options)
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=options.output):  # what cannot be written is told now, not after an hour of calls
        pass
    console = Console(stderr=True, quiet=options.json)
    processes = options.processes or min(os.cpu_count() or 1, options.sessions)
    with Screen(plan.sessions, console) as screen:
        stopped_by = await _until_stopped(run(plan, screen.take, processes=processes, cluster=options.cluster))
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
    finished = Run(settings, records, expectations, screen.lag_ms, stopped_by.name if stopped_by else "")
    is_written = await _report(finished, options, console)
    if stopped_by:
        return 128 + stopped_by
    as_expected = finished.figures.totals["joined"] > 0 and all(met for _, _, met in finished.outcomes)
    return 0 if is_written and as_expected else 1


async def _plan_of(options: argparse.Namespace) -> Plan:
    script = load_script(options.script) if options.script else DEFAULT
    # What is wrong with the address or the token is told now, and not by each call.
    ClientOptions(
        conversation_url=options.url,
        token=options.token or "-",
        allow_insecure=options.allow_insecure,
        ca_file=options.ca_file,
    )
    return Plan(
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


async def _until_stopped(running: Coroutine[Any, Any, None]) -> signal.Signals | None:
    """Await `running`, or a signal, which it returns; a second signal does not wait for what the first one ends.

    Further signals come to nothing: the program is about to end.
    """
    task = asyncio.ensure_future(running)
    came: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        came.append(number)
        task.cancel()

    for number in signals.NUMBERS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores one
            with contextlib.suppress(NotImplementedError):  # Windows, where Ctrl-C cancels this task
                asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        return came[0] if came else signal.SIGINT
    return None


async def _report(finished: Run, options: argparse.Namespace, console: Console) -> bool:
    """Write and show what came of it; whether it could be written. Where the disk is full, it is shown all the same."""
    files, failure = [], ""
    try:
        files = await asyncio.to_thread(write_report, finished, options.output)
    except OSError as error:
        failure = f"spike-engine: the report was not written: {error}"
    _show(finished, files, console, as_json=options.json)
    if failure:
        print(printable(failure), file=sys.stderr)  # noqa: T201
    return not failure


def _show(finished: Run, files: list[Path], console: Console, *, as_json: bool) -> None:
    missed = [(expected, value) for expected, value, met in finished.outcomes if not met]
    if as_json:
        print(json.dumps(finished.as_dict(), indent=1))  # noqa: T201
    else:
        totals = finished.figures.totals
        title = f"{totals['sessions']:.0f} calls, {totals['joined']:.0f} joined, {totals['failed']:.0f} failed"
        console.print(table_of(finished.figures, title))
        if finished.warning:
            console.print(finished.warning, style="yellow", highlight=False, soft_wrap=True)
        console.print(" ".join(map(str, files)), highlight=False, soft_wrap=True)
    if finished.ending:
        print(printable(f"spike-engine: {finished.ending}"), file=sys.stderr)  # noqa: T201
    for expected, value in missed:
        print(printable(f"spike-engine: expected {expected.text}, was {value:g}"), file=sys.stderr)  # noqa: T201
