"""Who has opened what, and how it is closed: the one order of opening and closing that every owner follows."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from spike_engine.errors import SpikeError

__all__ = ["Lifetime", "Slot", "cancelled", "is_cancelled", "no_cancellation_by"]

logger = logging.getLogger(__name__)

Close: TypeAlias = Callable[[], Awaitable[object]]


class Closable(Protocol):
    """Anything that is closed."""

    async def close(self) -> None:
        """Free it."""


class Lifetime:
    """What an owner has opened. At its end all of it is closed, the last first.

    What raises or takes too long while it is closed is logged, and the others are closed all the same. Each is closed
    in a task of its own: cancelling whoever asked for it does not stop it, and where the event loop ends and cancels
    that task, too, it is closed once more. What comes after the end is closed at once.

    Args:
        limit_s: How long one may take to close; by default as long as it likes.

    Attributes:
        over: The end has come; what is added from now on is closed at once.
    """

    def __init__(self, limit_s: float | None = None) -> None:
        self.over = False
        self._limit_s = limit_s
        self._closes: list[Close] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, close: Close) -> None:
        """Call `close` at the end; it may be called twice."""
        self._closes.append(close)
        if self.over:
            self.drop(close)

    def drop(self, close: Close) -> None:
        """Call `close`, which has been added, now and not at the end; :meth:`settled` waits for it."""
        self._closes.remove(close)
        task = asyncio.create_task(self._call(close))
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._on_done(task, close))

    async def settled(self) -> None:
        """Return when all that was to be closed up to now is closed."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Close everything; may be called as often as one likes. Returns, or is cancelled, when all is closed."""
        self.over = True
        interruption: asyncio.CancelledError | None = None
        while self._closes or self._tasks:
            if not self._tasks:
                self.drop(self._closes[-1])
            try:
                await self.settled()
            except asyncio.CancelledError as error:
                interruption = error
        if interruption:
            raise interruption

    async def _call(self, close: Close) -> None:
        name = getattr(close, "__qualname__", repr(close))
        closing = asyncio.ensure_future(close())
        await asyncio.wait({closing}, timeout=self._limit_s)
        if not closing.done():
            closing.cancel()
            logger.error("%s has not come to an end within %s s", name, self._limit_s)
        elif not closing.cancelled() and (error := closing.exception()):
            logger.error("%s raised", name, exc_info=error)

    def _on_done(self, task: asyncio.Task[None], close: Close) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            self._closes.append(close)


Held = TypeVar("Held", bound=Closable)


class Slot(Generic[Held]):
    """The one thing of its kind that is in use, and can be exchanged for another at any time.

    Args:
        limit_s: See :class:`Lifetime`.

    Attributes:
        current: What is in use; None before the first.
    """

    def __init__(self, limit_s: float | None = None) -> None:
        self.current: Held | None = None
        self._lifetime = Lifetime(limit_s)

    def exchange(self, held: Held) -> bool:
        """Use `held` from now on and begin to close the one before; after the end, False: `held` itself is closed."""
        self._lifetime.add(held.close)
        if self._lifetime.over:
            return False
        before, self.current = self.current, held
        if before is not None:
            self._lifetime.drop(before.close)
        return True

    async def settled(self) -> None:
        """Return when everything that was exchanged is closed."""
        await self._lifetime.settled()

    async def close(self) -> None:
        """Close what is in use; may be called as often as one likes."""
        await self._lifetime.close()


async def cancelled(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel `tasks` and return when they have come to their end, whatever it is. What raised is logged."""
    running = [task for task in tasks if task]
    for task in running:
        task.cancel()
    for outcome in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(outcome, Exception) and not isinstance(outcome, SpikeError):  # that one is told elsewhere
            logger.error("a task failed", exc_info=outcome)


def is_cancelled() -> bool:
    """Whether it is the task that runs which is being cancelled, and not something that it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@contextlib.contextmanager
def no_cancellation_by(culprit: str) -> Iterator[None]:
    """Makes a RuntimeError of a ``CancelledError`` that was raised inside though nobody cancels the running task."""
    try:
        yield
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise
        raise RuntimeError(f"{culprit} raised CancelledError") from error
