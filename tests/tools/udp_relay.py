"""A bad network between a client and a server on one machine: every media packet goes through here.

There is no netem without the right to use it, so the relay sits in user space: a small HTTP server passes the offer on
to the real one and puts the relay's two UDP ports in place of all ICE candidates.
"""

from __future__ import annotations

import asyncio
import random
import re
import socket
from collections import Counter
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from aioice.ice import get_host_addresses

CANDIDATE = re.compile(r"a=candidate:(\S+) 1 udp (\d+) (\d+\.\d+\.\d+\.\d+) (\d+) typ host[^\r\n]*", re.IGNORECASE)
MEDIA = re.compile(r"^m=(audio|video) \d+ \S+((?: \d+)+)", re.MULTILINE)  # with its payload types
ANY_CANDIDATE = re.compile(r"a=candidate:[^\r\n]*\r?\n")


def is_sender_report(data: bytes) -> bool:
    """RFC 3550 section 6.4.1: SRTCP (RFC 3711) leaves the first eight bytes as they are."""
    return len(data) > 8 and 128 <= data[0] < 192 and data[1] == 200


class Link(asyncio.DatagramProtocol):
    """One direction: what arrives here leaves through the other link, later, or never."""

    def __init__(self, relay: BadNetwork, port_of: str) -> None:
        self.relay = relay
        self.name = port_of
        self.target: tuple[str, int] | None = None  # where packets leave to
        self.other: Link | None = None
        self.transport: asyncio.DatagramTransport | None = None
        self.free_at = 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        if self.name == "front":
            self.target = source  # the client, wherever it is now
        delay_s = self.relay.delay_of(self, data)
        self.relay.count(self, data, passes=delay_s is not None)
        if delay_s is None or self.other is None:
            return
        other = self.other
        if delay_s == 0:
            other.leave(data)
        else:
            asyncio.get_running_loop().call_later(delay_s, other.leave, data)

    def leave(self, data: bytes) -> None:
        if self.transport and self.target and not self.transport.is_closing():
            self.transport.sendto(data, self.target)


class BadNetwork:
    """Relays one conversation.

    `delay_s` (each way), `jitter_s` (up to so much more for each packet), `loss`, `reorder`, `rate_bps`, `cut`,
    `held_up_s` (more delay for "audio" or "video") and `hides_reports` (no sender report gets through) may change at
    any time.

    Attributes:
        sent: How many packets of "audio" and of "video" the client has sent.
        dropped: How many of these did not get through.
    """

    QUEUE_S = 0.5  # what a throttle keeps before it drops

    def __init__(self, conversation_url: str) -> None:
        self.delay_s = 0.0
        self.jitter_s = 0.0
        self.loss = 0.0
        self.reorder = 0.0
        self.rate_bps: float | None = None
        self.cut = False
        self.held_up_s: dict[str, float] = {}
        self.hides_reports = False
        self.url = ""
        self.token = ""
        self.offers = 0
        self.sent: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self._kinds: dict[int, str] = {}
        self._conversation_url = conversation_url
        self._random = random.Random(7)
        self._host = ""
        self._front: Link | None = None
        self._back: Link | None = None
        app = web.Application()
        app.router.add_post("/c/api/offer", self._offer)
        app.router.add_patch("/c/api/offer", self._trickle)
        self._server = TestServer(app)

    def seed(self, seed: int) -> None:
        """Lose, hold up and reorder other packets."""
        self._random.seed(seed)

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        self.url = str(self._server.make_url("/c"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_links()
        await self._server.close()

    def delay_of(self, link: Link, data: bytes) -> float | None:
        """When a packet that comes in on `link` leaves, in seconds from now; None: never."""
        size = len(data)
        if self.cut or self._random.random() < self.loss or (self.hides_reports and is_sender_report(data)):
            return None
        delay_s = self.delay_s + self.jitter_s * self._random.random() + self.held_up_s.get(self.kind_of(data) or "", 0)
        if self._random.random() < self.reorder:
            delay_s += 0.03
        if self.rate_bps and link is self._front:  # the way up is the narrow one
            now = asyncio.get_running_loop().time()
            link.free_at = max(link.free_at, now) + 8 * size / self.rate_bps
            if link.free_at - now > self.QUEUE_S:
                link.free_at -= 8 * size / self.rate_bps
                return None
            delay_s += link.free_at - now
        return delay_s

    def count(self, link: Link, data: bytes, *, passes: bool) -> None:
        """Take note of a packet of the client's media."""
        kind = self.kind_of(data)
        if kind and link is self._front:
            self.sent[kind] += 1
            self.dropped[kind] += not passes

    def kind_of(self, data: bytes) -> str | None:
        """ "audio" or "video" of a packet of media (RFC 3550; RFC 7983 tells it from STUN and DTLS)."""
        return self._kinds.get(data[1] & 0x7F) if len(data) > 12 and 128 <= data[0] < 192 else None

    def lose_address(self) -> None:
        """What a home router does when it comes back: what is sent to the address of before goes nowhere."""
        self._close_links()

    async def change_address(self) -> None:
        """What a telephone does that goes from one network to another: the server hears it from elsewhere."""
        assert self._front
        assert self._back
        before, self._back = self._back, await self._listen("back")
        self._back.target, self._back.other, self._front.other = before.target, self._front, self._back
        assert before.transport
        before.transport.close()

    def _close_links(self) -> None:
        for link in (self._front, self._back):
            if link and link.transport:
                link.transport.close()

    async def _offer(self, request: web.Request) -> web.Response:
        while self.cut:  # nothing comes through, and nobody says so
            await asyncio.sleep(0.05)
        if request.transport is None:  # who asked has given up, so that the offer never arrives
            raise web.HTTPServiceUnavailable
        self.offers += 1
        offer = await request.json()
        self._kinds = {int(number): kind for kind, numbers in MEDIA.findall(offer["sdp"]) for number in numbers.split()}
        self._host = get_host_addresses(use_ipv4=True, use_ipv6=False)[0]
        self._close_links()
        self._front, self._back = await self._listen("front"), await self._listen("back")
        self._front.other, self._back.other = self._back, self._front
        offer["sdp"] = self._through(offer["sdp"], self._back)
        headers = {"Authorization": request.headers["Authorization"]}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self._conversation_url}/api/offer", json=offer, headers=headers) as response,
        ):
            answer = await response.json()
        if response.status != 200:
            return web.json_response(answer, status=response.status)
        found = CANDIDATE.search(answer["sdp"])
        assert found
        self._back.target = found[3], int(found[4])
        answer["sdp"] = self._through(answer["sdp"], self._front)
        return web.json_response(answer)

    async def _trickle(self, _: web.Request) -> web.Response:
        """A slow machine's late candidates: the server has the relay's already."""
        return web.json_response({})

    async def _listen(self, name: str) -> Link:
        loop = asyncio.get_running_loop()
        _, link = await loop.create_datagram_endpoint(
            lambda: Link(self, name), local_addr=(self._host, 0), family=socket.AF_INET
        )
        return link

    def _through(self, sdp: str, link: Link) -> str:
        """`sdp` with one candidate a section: the port of `link`."""
        assert link.transport
        host, port = link.transport.get_extra_info("sockname")[:2]
        line = f"a=candidate:1 1 udp 2130706431 {host} {port} typ host\r\n"
        sdp = ANY_CANDIDATE.sub("", sdp)
        return sdp.replace("a=ice-ufrag:", f"{line}a=ice-ufrag:")
