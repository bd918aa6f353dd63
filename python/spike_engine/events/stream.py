"""A subscription to events that is read by iterating."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from spike_engine.events.types import (
    Event,
    EventName,
)


class EventStream(AsyncIterator[Any]):
    """The events of some names, in order, from the moment of its creation.

    The queue is bounded: a reader that falls behind loses the oldest events, which `dropped` counts.
    """

    def __init__(self, names: frozenset[EventName], close: Callable[[EventStream], None]) -> None:
        self.names = names
        self.dropped = 0
        self._events: deque[Event] = deque(maxlen=ITERATOR_QUEUE_EVENTS)
        self._arrived = asyncio.Event()
        self._close = close
        self._ended = False

    def put(self, event: Event) -> None:
        """Append `event`; the oldest goes when the queue is full."""
        self.dropped += len(self._events) == ITERATOR_QUEUE_EVENTS
        self._events.append(event)
        self._arrived.set()

    async def aclose(self) -> None:
        """End the iteration and give up the subscription."""
        self._ended = True
        self._close(self)
        self._arrived.set()

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> Any:
        while not self._events:
            if self._ended:
                raise StopAsyncIteration
            self._arrived.clear()
            try:
                await self._arrived.wait()
            except asyncio.CancelledError:
                self._close(self)
                raise
        return self._events.popleft()


ITERATOR_QUEUE_EVENTS = 256
