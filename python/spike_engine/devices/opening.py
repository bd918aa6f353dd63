"""Devices take their time to open, to read and to close, and nobody may be left who waits for them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

from spike_engine.errors import DeviceNotFound
from spike_engine.lifetime import threads

OPEN_LIMIT_S = 6.0  # opening one does not always come back, as from a driver that hangs
STALL_S = 3.0  # a device that has not moved for so long is gone: the system often does not say so
BEGIN_S = 6.0  # the same before it has moved at all: wireless headsets and idle sound servers take their time
CLOSE_LIMIT_S = 2.0  # what closes a device does not always come back, as from a sound server that died

_Jobs: TypeAlias = "queue.SimpleQueue[tuple[concurrent.futures.Future[Any], Callable[[], Any]] | None]"


def beside(call: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
    """What `call` returns, from a thread of its own, which keeps neither a caller nor the program's end waiting."""
    return asyncio.wrap_future(_begun(call, *arguments))


async def in_thread(open_device: Callable[..., Any], *arguments: Any, called: str) -> Any:
    """What `open_device` opens in a thread. If nobody waits for it any more when it is open, it is closed again.

    Raises:
        DeviceNotFound: It is not open within `OPEN_LIMIT_S`. `called` is what it is called in the message.
    """
    opening = _begun(open_device, *arguments)
    try:
        async with asyncio.timeout(OPEN_LIMIT_S):
            return await asyncio.wrap_future(opening)
    except BaseException as error:
        if not opening.cancel() and opening.exception() is None:  # it opened in the very moment
            _begun(opening.result().close)
        if isinstance(error, asyncio.CancelledError):  # PortAudio closes the standard error output while it begins
            await asyncio.to_thread(concurrent.futures.wait, {opening}, CLOSE_LIMIT_S)
        if isinstance(error, TimeoutError) and opening.cancelled():
            raise DeviceNotFound(f"{called} did not open within {OPEN_LIMIT_S:g} s") from error
        raise


def _begun(call: Callable[..., Any], *arguments: Any) -> concurrent.futures.Future[Any]:
    """The same for any thread. What is returned when nobody wants it any more is closed."""
    name = getattr(call, "__name__", "a device")
    # PortAudio crashes where the program ends while a thread is in it: that end waits, but not for ever.
    return threads.in_thread(call, *arguments, name=name, unwanted=_close, holds_end_s=OPEN_LIMIT_S)


def _close(opened: Any) -> None:
    if close := getattr(opened, "close", None):
        close()


class Worker:
    """A thread of its own for what blocks and must not be used by two threads: it does one thing after the other.

    What is under way is never interrupted, so what closes a thing is done when nobody uses it any more. A thread that
    never comes back keeps neither a caller waiting, who may be cancelled, nor the program from ending.

    Args:
        name: Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: _Jobs = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def do(self, job: Callable[[], Any]) -> Any:
        """What `job` returns, when it is its turn; cancelled before that, it is left out."""
        return await asyncio.wrap_future(self._put(job))

    async def finish(self, last: Callable[[], Any], limit_s: float) -> bool:
        """Do `last`, which is never left out, and end the thread; False where that takes longer than `limit_s`."""
        done = self._put(last)
        done.set_running_or_notify_cancel()
        self._jobs.put(None)
        self._thread = None
        waiting = asyncio.wrap_future(done)
        try:
            finished, _ = await asyncio.wait({waiting}, timeout=limit_s)
        finally:
            waiting.cancel()
        return bool(finished)

    def _put(self, job: Callable[[], Any]) -> concurrent.futures.Future[Any]:
        if self._thread is None:
            self._jobs = queue.SimpleQueue()
            self._thread = threading.Thread(target=_work, args=(self._jobs,), daemon=True, name=self._name)
            self._thread.start()
        done: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._jobs.put((done, job))
        return done


def _work(jobs: _Jobs) -> None:
    while job := jobs.get():
        done, call = job
        if done.running() or done.set_running_or_notify_cancel():
            try:
                done.set_result(call())
            except BaseException as error:
                done.set_exception(error)
