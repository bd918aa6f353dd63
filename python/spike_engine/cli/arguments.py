"""The arguments of the ``spike-engine`` command, what they may be, and how one that is not is refused: by one line."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args

from spike_engine import __version__
from spike_engine.dsp.noise import NoiseMode
from spike_engine.options import TRANSPORTS

N = TypeVar("N", int, float)


def parser() -> argparse.ArgumentParser:
    """All commands and their arguments."""
    command = Parser(
        prog="spike-engine", description="Talk with an AI over WebRTC, with the echo and the noise taken out."
    )
    command.add_argument("--version", action="version", version=f"spike-engine {__version__}")
    commands = command.add_subparsers(required=True, metavar="COMMAND", dest="command")

    demo = commands.add_parser("demo", help="hold a whole conversation and show what the engine does")
    demo.add_argument("--output", type=path, default=Path("spike-demo"), help="where recordings and pictures go")
    demo.add_argument("--mic", action="store_true", help="talk yourself, with this machine's devices")
    demo.add_argument("--url", help="join this conversation instead of the embedded one")
    demo.add_argument("--token", help="the token that goes with --url")
    demo.add_argument("--no-video", dest="video", action="store_false", help="voice only")
    demo.add_argument("--seconds", type=number(0), help="with --mic, end after this time")
    demo.add_argument("--turns", type=whole(1, 6), default=6, help="how much of the script to play, 1 to 6")
    demo.add_argument("--json", action="store_true", help="print the summary as JSON and nothing else")

    clean = commands.add_parser("clean", help="take the noise, or the echo and the noise, out of recordings")
    clean.add_argument("inputs", nargs="+", type=name, metavar="IN", help="recordings, or folders of them")
    clean.add_argument("-o", "--output", required=True, type=name, metavar="OUT", help="file, or folder for several")
    clean.add_argument("--far", type=path, help="what the loudspeaker played meanwhile: file, or folder for several")
    clean.add_argument("--no-noise-suppression", dest="noise", action="store_false", help="only take out the echo")
    clean.add_argument(
        "--mode",
        choices=get_args(NoiseMode),
        default="neural",
        help="of the noise suppressor: neural for people, recogniser for machines, classical",
    )
    clean.add_argument("--gain", action="store_true", help="bring speech to one loudness, -23 dBFS")
    clean.add_argument(
        "--attenuation-db", type=number(0, 60), metavar="DB", help="the most that noise is turned down by, 0-60"
    )
    clean.add_argument("--report", type=name, metavar="PICTURE", help="draw what happened: file, or folder for several")
    clean.add_argument(
        "--processes", type=whole(1, 1024), help="how many recordings at a time; as many as processors by default"
    )
    clean.add_argument(
        "--cluster", metavar="ADDRESS", help="clean on a Ray cluster: local, auto, or ray://host:10001; noise only"
    )
    clean.add_argument("--json", action="store_true", help="print what was done as JSON and nothing else")

    _add_join(commands)
    doctor = commands.add_parser("doctor", help="check network, relay and devices, and say what to do")
    doctor.add_argument("--url", help="a conversation whose server should answer")
    doctor.add_argument("--turn", help="a TURN server, such as turn:host:3478?transport=tcp")
    doctor.add_argument("--turn-user", help="its user name")
    doctor.add_argument("--turn-password", help="its password")
    doctor.add_argument("--quiet", dest="speaker", action="store_false", help="play nothing on the loudspeaker")
    doctor.add_argument("--seconds", type=number(0, 3600), default=4.0, help="how long to listen; 0: not at all")
    doctor.add_argument("--json", action="store_true", help="print JSON")

    _add_serve(commands)
    _add_call(commands)
    devices = commands.add_parser("devices", help="list microphones, loudspeakers and cameras")
    devices.add_argument("--json", action="store_true", help="print JSON")
    return command


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser("serve", help="run the embedded conversation server")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on")
    serve.add_argument("--port", type=whole(0, 65535), default=7860, help="port to listen on, 0 for any that is free")
    serve.add_argument(
        "--open",
        action=argparse.BooleanOptionalAction,
        help="let anybody open conversations, or only who has an invitation; by default open on this machine only",
    )
    serve.add_argument(
        "--allow-origin", action="append", default=[], metavar="ORIGIN", help="pages of it may call; may be repeated"
    )
    serve.add_argument(
        "--workers", type=whole(1, 256), default=1, metavar="N", help="processes that share the conversations"
    )
    serve.add_argument(
        "--max-conversations", type=whole(1, 100_000), metavar="N", help="at once, in all; by default 16 a worker"
    )
    serve.add_argument(
        "--drain-timeout",
        type=number(0, 86_400),
        default=600.0,
        metavar="S",
        help="how long calls may go on after SIGTERM, 600 s by default; a second SIGTERM ends them",
    )
    serve.add_argument("--public-url", metavar="URL", help="where clients find the server, behind a proxy")
    serve.add_argument("--udp-ports", type=port_range, metavar="FIRST-LAST", help="the ports that media may use")
    serve.add_argument("--json", action="store_true", help="print the addresses as one line of JSON")


def _add_join(commands: Any) -> None:
    join = commands.add_parser("join", help="hold a conversation with this machine's devices, or with files")
    join.add_argument("url", help="the conversation's address")
    join.add_argument(
        "--token", default=os.environ.get("SPIKE_TOKEN", ""), help="the conversation's token; else that of SPIKE_TOKEN"
    )
    join.add_argument("--allow-insecure", action="store_true", help="send the token over http:// to another machine")
    join.add_argument("--ca-file", metavar="PEM", help="certificates of authorities to trust besides the system's")
    join.add_argument("--voice-only", action="store_true", help="neither send nor receive pictures")
    join.add_argument("--mic", default="default", metavar="ID", help="a microphone, or a sound file")
    join.add_argument("--camera", default="default", metavar="ID", help="a camera, or a film")
    join.add_argument("--speaker", default="default", metavar="ID", help="a loudspeaker, or none")
    join.add_argument("--quality", default="high", choices=("low", "medium", "high"), help="how large the picture is")
    join.add_argument("--transport", choices=TRANSPORTS, help="how to reach it, if the address does not say")
    join.add_argument("--ice-server", action="append", default=[], metavar="URL", help="a STUN server; may be repeated")
    join.add_argument("--record", type=path, metavar="DIR", help="keep sounds and events there")
    join.add_argument("--seconds", type=number(0), help="leave after this time")
    join.add_argument(
        "--join-timeout", type=number(0.1, 3600), default=10.0, metavar="S", help="how long joining may take"
    )
    join.add_argument("--json", action="store_true", help="print every event as a line of JSON")


def _add_call(commands: Any) -> None:
    call = commands.add_parser("call", help="hold many calls at once with a server, and measure it")
    call.add_argument("url", help="a server that gives out conversations, or with --token a conversation")
    call.add_argument("--token", default=os.environ.get("SPIKE_TOKEN"), help="opens it; else that of SPIKE_TOKEN")
    call.add_argument("--sessions", type=whole(1, 1_000_000), default=1, metavar="N", help="how many calls, in all")
    call.add_argument("--ramp", type=rate, default=1.0, metavar="N/s", help="how many begin in a second, or a minute")
    call.add_argument("--script", type=path, metavar="FILE", help="what the callers say: YAML or JSON")
    call.add_argument("--seed", type=whole(0, 2**31), default=0, help="of lines, pauses and losses")
    call.add_argument(
        "--processes", type=whole(1, 1024), metavar="N", help="that share the calls; by default a core each"
    )
    call.add_argument("--cluster", metavar="ADDRESS", help="call from a Ray cluster: local, auto, or ray://host:10001")
    call.add_argument(
        "--expect",
        action="append",
        default=[],
        metavar="WHAT",
        help="such as 'p95_first_sound_ms<1200'; exit with 1 where it is not so; may be repeated",
    )
    call.add_argument("--output", type=path, default=Path("spike-calls"), metavar="DIR", help="where the report goes")
    call.add_argument("--transport", choices=TRANSPORTS, help="how to reach it, if the address does not say")
    call.add_argument("--allow-insecure", action="store_true", help="send tokens over http:// to another machine")
    call.add_argument("--ca-file", metavar="PEM", help="certificates of authorities to trust besides the system's")
    call.add_argument("--json", action="store_true", help="print the report as JSON and nothing else")


class Parser(argparse.ArgumentParser):
    """Refuses in one line; ``--help`` has the usage."""

    def error(self, message: str) -> NoReturn:
        """Exit with 2."""
        print(f"{self.prog}: {message}", file=sys.stderr)  # noqa: T201
        sys.exit(2)


def whole(least: int, most: int) -> Callable[[str], int]:
    """The type of an argument that is a whole number from `least` to `most`."""
    return lambda text: _within(text, int, least, most, f"a whole number from {least} to {most}")


def name(text: str) -> str:
    """The type of an argument that names a file or a folder: an empty one would name the folder one is in."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text[:40]!r} names no file and no folder")
    return text


def path(text: str) -> Path:
    """The same, as a path."""
    return Path(name(text))


def rate(text: str) -> float:
    """The type of an argument such as ``10/s``, ``10`` or ``90/min``: how many in a second."""
    count, _, unit = text.partition("/")
    seconds = {"": 1.0, "s": 1.0, "min": 60.0}.get(unit)
    try:
        value = float(count) / seconds if seconds else 0.0
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 10_000.0:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} must be a rate above 0, such as 10/s or 90/min")
    return value


def port_range(text: str) -> tuple[int, int]:
    """The type of an argument such as ``40000-40999``."""
    first, _, last = text.partition("-")
    if first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last) <= 65535:
        return int(first), int(last)
    raise argparse.ArgumentTypeError(f"{text[:40]!r} must be two ports, such as 40000-40999")


def number(least: float, most: float = math.inf) -> Callable[[str], float]:
    """The type of an argument that is a finite number from `least` to `most`."""
    wanted = f"a number from {least:g} to {most:g}" if math.isfinite(most) else f"a number, {least:g} or more"
    return lambda text: _within(text, float, least, most, wanted)


def _within(text: str, kind: type[N], least: float, most: float, wanted: str) -> N:
    try:
        value = kind(text)
        if least <= value <= most and math.isfinite(value):
            return value
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"{text[:40]!r} must be {wanted}")
