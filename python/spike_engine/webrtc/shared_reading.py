"""Sockets of many connections read together, when the process's clock beats, instead of a wake-up for each packet."""

from __future__ import annotations

import asyncio.selector_events
import select
from typing import Any
from weakref import WeakKeyDictionary

from spike_engine.webrtc.clock import Clock, running_clock

READ_AT_ONCE = 8  # so many connections of an event loop have each packet read as it comes
_MOST_ROUNDS = 8  # what comes faster waits for the next slot
_SELECTOR_TRANSPORT: Any = getattr(asyncio.selector_events, "_SelectorDatagramTransport", None)


class SharedReading:
    """Reads the sockets that it is given at each slot of a clock: 2.5 ms later than they could be, at most.

    A voice loses nothing by that, since it is played by the same clock. The event loop is woken up 400 times a second,
    where each connection would wake it up 50 times.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._alone: set[Any] = set()
        self._shared: dict[int, Any] = {}
        self._epoll: select.epoll | None = None

    @property
    def sockets(self) -> int:
        """How many there are, those included that are read as each packet comes."""
        return len(self._alone) + len(self._shared)

    def add(self, protocol: Any) -> None:
        """Take the socket of an asyncio datagram protocol, until that is closed, where it is one too many to be alone.

        Where the event loop is none of asyncio's own or the system has no ``epoll``, its socket is read as before.
        """
        transport: Any = getattr(protocol, "transport", None)
        if type(transport) is not _SELECTOR_TRANSPORT or not hasattr(select, "epoll"):
            return
        number = transport._sock_fd
        if transport.is_closing() or transport in self._alone or self._shared.get(number) is transport:
            return
        if len(self._alone) < READ_AT_ONCE:
            self._alone.add(transport)
        else:
            if self._epoll is None:
                self._epoll = select.epoll()
                self._clock.read_first = self._read
            transport._loop._remove_reader(number)
            self._epoll.register(number, select.EPOLLIN)
            self._shared[number] = transport
        self._watch_end(protocol, transport)

    def _watch_end(self, protocol: Any, transport: Any) -> None:
        connection_lost = protocol.connection_lost

        def forget(error: Exception | None) -> None:
            self._forget(transport)
            connection_lost(error)

        protocol.connection_lost = forget

    def _forget(self, transport: Any) -> None:
        self._alone.discard(transport)
        number = transport._sock_fd
        if self._epoll and self._shared.get(number) is transport:
            del self._shared[number]
            self._epoll.unregister(number)
            if not self._shared:
                self._epoll.close()
                self._epoll, self._clock.read_first = None, None

    def _read(self) -> None:
        """Read all that has come."""
        for _ in range(_MOST_ROUNDS):
            if self._epoll is None or not (ready := self._epoll.poll(0)):
                return
            for number, _ in ready:
                if transport := self._shared.get(number):
                    transport._read_ready()


_readings: WeakKeyDictionary[asyncio.AbstractEventLoop, SharedReading] = WeakKeyDictionary()


def running_reading() -> SharedReading:
    """That of the running event loop."""
    loop = asyncio.get_running_loop()
    reading = _readings.get(loop)
    if reading is None:
        reading = _readings[loop] = SharedReading(running_clock())
    return reading
