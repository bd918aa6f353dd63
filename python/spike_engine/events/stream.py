"""A subscription to events that is read by iterating."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from spike_engine.events.types import Disconnected, EventName

E_co = TypeVar("E_co", covariant=True)

ITERATOR_QUEUE_EVENTS = 256


class EventStream(AsyncIterator[E_co]):
    """The events of some names, in order, from the moment of its creation to the end of the conversation.

    The iteration ends after a ``disconnected`` that nothing follows (`will_reconnect` is False), whether that was asked
    for or not; a stream that was made while there was no conversation waits for the next and ends with it.

    ``anext()`` may be cancelled, by a timeout for example: the subscription stays and no event is lost. It is given up
    by :meth:`aclose`, at the end of ``async with``, or when nobody holds the stream any more, so that a loop over
    ``client.events(...)`` may be left by ``break``.

    The queue is bounded: a reader that falls behind loses the oldest events, which `dropped` counts.
    """

    def __init__(self, names: frozenset[EventName], give_up: Callable[[EventStream[Any]], None]) -> None:
        self.names = names
        self.dropped = 0
        self._events: deque[Any] = deque(maxlen=ITERATOR_QUEUE_EVENTS)
        self._arrived = asyncio.Event()
        self._give_up = give_up
        self._ended = False

    def put(self, name: EventName, event: object) -> None:
        """Take in an event, if it is one of those asked for; the oldest goes when the queue is full."""
        if name in self.names:
            self.dropped += len(self._events) == ITERATOR_QUEUE_EVENTS
            self._events.append(event)
            self._arrived.set()
        if isinstance(event, Disconnected) and not event.will_reconnect:
            self._end()

    async def aclose(self) -> None:
        """Give up the subscription: the iteration ends after the events that have come already."""
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._give_up(self)
        self._arrived.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E_co:
        while not self._events:
            if self._ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()  # type: ignore[no-any-return]
