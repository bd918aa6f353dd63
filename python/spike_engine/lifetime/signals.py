"""Child processes that no signal meant for their parent ends: it ends them itself, in its own order.

A terminal sends Ctrl-C to every process of a command, and service managers do the like.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from multiprocessing import resource_tracker

__all__ = ["NUMBERS", "held_back", "ignore"]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
NUMBERS: list[signal.Signals] = [number for name in _NAMES if (number := getattr(signal, name, None))]
"""Those that ask a process to end."""


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Start processes inside; they meet no signal before they call :func:`ignore`.

    Without it, one that comes while their interpreter still imports ends them with a traceback. This thread and the
    threads that it starts meet none either, until the end of the block.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows, where a child hears of Ctrl-C alone
        yield
        return
    resource_tracker.ensure_running()  # where it began inside, it would let the signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore() -> None:
    """Take no notice of signals that ask a process to end, also of those that were held back. For its main thread."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, NUMBERS)
