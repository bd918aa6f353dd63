"""What ICE would find from this machine, tried out before a conversation needs it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace

import aioice
from aioice.stun import Class, Message, Method
from aiortc import RTCIceGatherer, RTCIceServer, RTCIceTransportPolicy
from aiortc.rtcicetransport import parse_stun_turn_uri

from spike_engine.addresses.ice import IceServer

TIMEOUT_S = 6.0
ANSWER_S = 1.0
MOST_ADDRESSES = 32  # a server may name many, and each is asked


def own_addresses() -> list[str]:
    """The addresses besides loopback that ICE can offer."""
    return list(aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True))


async def relayed_addresses(server: IceServer) -> list[str]:
    """The addresses that a TURN server gives us; none where it cannot be reached or does not know us."""
    ice_server = RTCIceServer(list(server.all_urls), username=server.username, credential=server.credential)
    gatherer = RTCIceGatherer([ice_server], iceTransportPolicy=RTCIceTransportPolicy.RELAY)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await gatherer.gather()
    except (TimeoutError, OSError):
        return []
    finally:
        await gatherer._connection.close()
    return [f"{candidate.ip}:{candidate.port}" for candidate in gatherer.getLocalCandidates()]


async def answering(servers: Sequence[IceServer]) -> list[IceServer]:
    """Of the first addresses of `servers`, `MOST_ADDRESSES` at most, those that answer within a second, in their order.

    ICE would wait five seconds for one that does not, and aiortc uses no TURN server but the first.
    """
    single = [replace(server, urls=url) for server in servers for url in server.all_urls][:MOST_ADDRESSES]
    answers = await asyncio.gather(*(_answers(str(server.urls)) for server in single))
    return [server for server, answer in zip(single, answers, strict=True) if answer]


async def _answers(url: str) -> bool:
    """Whether there is something that speaks STUN (RFC 8489), over UDP, TCP or TLS."""
    parsed = parse_stun_turn_uri(url)
    address = parsed["host"], parsed["port"]
    is_tls = parsed["scheme"] in ("stuns", "turns")
    try:
        async with asyncio.timeout(ANSWER_S):
            if is_tls or parsed.get("transport") == "tcp":
                return await _binding_over_tcp(address, is_tls=is_tls)
            return await _binding(address)
    except (TimeoutError, OSError, ValueError):  # a host's name can be one that no resolver takes
        return False


async def _binding_over_tcp(address: tuple[str, int], *, is_tls: bool) -> bool:
    """Ask for our own address: something that accepts the connection may still stay silent."""
    reader, writer = await asyncio.open_connection(*address, ssl=True if is_tls else None)
    try:
        writer.write(_question())
        return bool(await reader.read(1))
    finally:
        writer.transport.abort()  # TLS's good-bye could stall as well


async def _binding(address: tuple[str, int]) -> bool:
    """Ask for our own address until something comes back."""
    question = _question()
    transport, waiting = await asyncio.get_running_loop().create_datagram_endpoint(_Waiting, remote_addr=address)
    try:
        while not waiting.answered.is_set():
            transport.sendto(question)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_S / 5):
                    await waiting.answered.wait()
        return True
    finally:
        transport.close()


def _question() -> bytes:
    return bytes(Message(message_method=Method.BINDING, message_class=Class.REQUEST))


class _Waiting(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answered = asyncio.Event()

    def datagram_received(self, _data: bytes, _source: object) -> None:
        self.answered.set()
