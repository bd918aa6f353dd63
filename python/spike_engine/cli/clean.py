"""``spike-engine clean``: recordings without their noise, here or on a cluster."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from spike_engine.addresses.text import printable
from spike_engine.clean import CleaningOptions, UnusableAudio, batch, planning
from spike_engine.extras import require

NOT_ON_A_CLUSTER = ("far", "report", "gain", "processes")


def clean(options: argparse.Namespace) -> int:
    """Clean; 0 where all was cleaned, else 1, or 2 where it cannot be run like this."""
    try:
        return _on_cluster(options) if options.cluster else _here(options)
    except UnusableAudio as error:
        return _told([error])


def _here(options: argparse.Namespace) -> int:
    if options.report:
        require("matplotlib", "the picture of --report")
    failures: list[Exception] = []
    jobs = planning.plan(
        [Path(path) for path in options.inputs], options.output, far=options.far, report=options.report
    )
    cleaned = batch.run(
        jobs,
        CleaningOptions(
            noise_suppression=options.noise and options.mode,
            attenuation_db=options.attenuation_db,
            gain_control=options.gain,
        ),
        Console(stderr=True, quiet=options.json),
        processes=options.processes,
        on_failure=failures.append,
    )
    if options.json:
        print(json.dumps([asdict(file) for file in cleaned], indent=2))  # noqa: T201
    else:
        for file in cleaned:
            print(printable(str(file)))  # noqa: T201
    return _told(failures)


def _on_cluster(options: argparse.Namespace) -> int:
    from spike_engine.corpus.cleaner import Cleaner  # noqa: PLC0415
    from spike_engine.corpus.on_cluster import clean_on_cluster  # noqa: PLC0415

    given = [f"--{name}" for name in NOT_ON_A_CLUSTER if getattr(options, name)]
    if given or not options.noise:
        unfit = ", ".join([*given, *([] if options.noise else ["--no-noise-suppression"])])
        print(f"spike-engine: a cluster turns down noise and nothing else: leave {unfit} out", file=sys.stderr)  # noqa: T201
        return 2
    console = Console(stderr=True, quiet=options.json)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=None)

        def show(_: dict[str, Any], count: int) -> None:
            progress.update(bar, advance=1, total=count)

        rows = clean_on_cluster(
            options.inputs,
            options.output,
            cleaner=Cleaner(attenuation_db=options.attenuation_db, mode=options.mode),
            address=options.cluster,
            on_done=show,
        )
    done = [row for row in rows if not row["error"]]
    if options.json:
        print(json.dumps(done, indent=2))  # noqa: T201
    else:
        for row in done:
            print(printable(f"{row['target']}: {_what(row)}"))  # noqa: T201
        made = [row for row in done if not row["skipped"]]
        hours, core_hours = (sum(row[name] for row in made) / 3600 for name in ("seconds", "cpu_s"))
        if core_hours:
            print(f"{hours:.3g} hours cleaned, {hours / core_hours:.0f} in an hour of a core", file=sys.stderr)  # noqa: T201
    return _told([UnusableAudio(f"{row['path']}: {row['error']}") for row in rows if row["error"]])


def _what(row: dict[str, Any]) -> str:
    return "is there already" if row["skipped"] else f"{row['seconds']:.1f} s"


def _told(failures: list[Exception] | list[UnusableAudio]) -> int:
    for failure in failures:
        print(printable(f"spike-engine: {failure}"), file=sys.stderr)  # noqa: T201
    return 1 if failures else 0
