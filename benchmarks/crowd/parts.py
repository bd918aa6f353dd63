"""Where the CPU time of a process goes: that of the thread inside a call, less that of the calls within it."""

from __future__ import annotations

import asyncio.selector_events
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import aioice
import pylibsrtp
from aiortc.codecs.vpx import Vp8Encoder

from spike_engine import _core, frames
from spike_engine.server.local.hearing import VoiceDetector
from spike_engine.server.picture.avatar import Avatar

_DATAGRAMS = asyncio.selector_events._SelectorDatagramTransport
_CALLS: list[tuple[str, Any, str]] = [
    ("encode", _core.OpusEncoder, "encode"),
    ("decode", _core.VoiceReceiver, "pull"),
    ("decode", _core.VoiceGate, "pull"),
    ("receive", aioice.ice.StunProtocol, "datagram_received"),
    ("SRTP, sockets", pylibsrtp.Session, "protect"),
    ("SRTP, sockets", pylibsrtp.Session, "unprotect"),
    ("SRTP, sockets", _DATAGRAMS, "sendto"),
    ("SRTP, sockets", _DATAGRAMS, "_read_ready"),
    ("chain", _core.CapturePipeline, "process"),
    ("turns", VoiceDetector, "__call__"),
    ("picture", Avatar, "draw"),
    ("picture", frames, "from_ndarray"),
    ("picture", Vp8Encoder, "encode"),
]
NAMES = [*dict.fromkeys(name for name, _, _ in _CALLS), "the rest"]


class Parts:
    """Adds up, from when it is made until :meth:`stop`, the nanoseconds of each part."""

    def __init__(self) -> None:
        self._spent_ns: Counter[str] = Counter()
        self._under_way = threading.local()
        self._originals = [(owner, name, getattr(owner, name)) for _, owner, name in _CALLS]
        for (part, owner, name), (_, _, original) in zip(_CALLS, self._originals, strict=True):
            setattr(owner, name, self._timed(part, original))
        self._began_ns = time.process_time_ns()

    def stop(self) -> dict[str, float]:
        """The share of each part in the CPU time of the process."""
        total_ns = time.process_time_ns() - self._began_ns
        for owner, name, original in self._originals:
            setattr(owner, name, original)
        shares = {part: self._spent_ns[part] / total_ns for part in NAMES[:-1]}
        return {**shares, NAMES[-1]: 1 - sum(shares.values())}

    def _timed(self, part: str, original: Callable[..., Any]) -> Callable[..., Any]:
        under_way, spent, now_ns = self._under_way, self._spent_ns, time.thread_time_ns

        def timed(*args: Any, **kwargs: Any) -> Any:
            if not hasattr(under_way, "within_ns"):
                under_way.within_ns = [0]  # for each call that is under way, what the calls within it took
            within = under_way.within_ns
            within.append(0)
            began_ns = now_ns()
            try:
                return original(*args, **kwargs)
            finally:
                took_ns = now_ns() - began_ns
                spent[part] += took_ns - within.pop()
                within[-1] += took_ns

        return timed
