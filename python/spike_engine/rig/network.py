"""A bad network in user space: what leaves and what arrives through a caller's sockets is lost or late."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from spike_engine.errors import InvalidState
from spike_engine.rig.script import Network

_road: ContextVar[Road | None] = ContextVar("road", default=None)


class Road:
    """The network of one caller, the same for the same seed.

    Attributes:
        passed: Packets that got through.
        dropped: Packets that did not.
    """

    def __init__(self, network: Network, seed: int) -> None:
        self.passed = self.dropped = 0
        self._network = network
        self._random = random.Random(seed)  # noqa: S311 (repeatable, not secret)

    def take(self) -> None:
        """Let the sockets that the running task opens from now on lead here."""
        loop: Any = asyncio.get_running_loop()
        if loop.create_datagram_endpoint.__name__ != _create_on_road.__name__:
            create = loop.create_datagram_endpoint

            async def _create(*arguments: Any, **options: Any) -> Any:
                return await _create_on_road(create, *arguments, **options)

            _create.__name__ = _create_on_road.__name__
            try:
                loop.create_datagram_endpoint = _create
            except AttributeError as error:
                raise InvalidState(f"{type(loop).__name__} takes no bad network: use asyncio's own loop") from error
        _road.set(self)

    def carry(self, deliver: Callable[..., None], *arguments: Any) -> None:
        """Call `deliver` when the packet arrives, if it does."""
        if self._random.random() < self._network.loss:
            self.dropped += 1
            return
        self.passed += 1
        delay_ms = self._network.delay_ms + self._network.jitter_ms * self._random.random()
        if delay_ms:
            asyncio.get_running_loop().call_later(delay_ms / 1000, deliver, *arguments)
        else:
            deliver(*arguments)


async def _create_on_road(create: Any, factory: Any, *arguments: Any, **options: Any) -> Any:
    road = _road.get()
    if road is None:
        return await create(factory, *arguments, **options)
    transport, arriving = await create(lambda: _Arriving(factory(), road), *arguments, **options)
    return _Leaving(transport, road), arriving.protocol


class _Arriving(asyncio.DatagramProtocol):
    def __init__(self, protocol: Any, road: Road) -> None:
        self.protocol = protocol
        self._road = road

    def connection_made(self, transport: Any) -> None:
        self.protocol.connection_made(_Leaving(transport, self._road))

    def connection_lost(self, exc: Exception | None) -> None:
        self.protocol.connection_lost(exc)

    def error_received(self, exc: Exception) -> None:
        self.protocol.error_received(exc)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._road.carry(self.protocol.datagram_received, data, addr)


class _Leaving:
    """The transport of a socket, but for what is sent."""

    def __init__(self, transport: Any, road: Road) -> None:
        self._transport = transport
        self._road = road

    def sendto(self, data: bytes, addr: Any = None) -> None:
        self._road.carry(self._send, bytes(data), addr)

    def _send(self, data: bytes, addr: Any) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(data, addr)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
