"""What aiortc sends while a connection is made, sent again sooner than it would: for networks that lose packets.

With a third of the packets lost each way, half of all questions stay without an answer. STUN (RFC 8489), DTLS
(RFC 6347) and SCTP (RFC 9260) then wait half a second, one and three seconds before they ask again, and longer each
time. Here a question that has had no answer is repeated after a tenth of a second. Who gets one twice drops the second:
STUN's by its transaction, DTLS's by its record number, SCTP's by its tag.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from aioice.stun import Class
from aiortc import RTCDtlsTransport
from OpenSSL import SSL

REPEAT_AFTER_S = (0.1, 0.2, 0.3, 0.45, 0.7, 1.0, 1.4, 2.0)
SCTP_FIRST_RTO_S = 0.4
SCTP_LEAST_RTO_S = 0.2  # RFC 9260 recommends a second, libwebrtc uses less than half of one
SCTP_MOST_RTO_S = 3.0
TWICE_AFTER_S = 0.04
TWICE_AT_FIRST_S = 15.0
MOST_TWICE_A_SECOND = 50
_CHUNK_TYPE = 12  # where SCTP's first chunk says what it is (RFC 9260 section 3)
# DATA, INIT ACK, SACK, COOKIE ECHO and COOKIE ACK. Not INIT: aiortc forgets at each what it has received.
_TWICE = (0, 2, 3, 10, 11)
_HANDSHAKE_RECORDS = (20, 22)  # change of cipher and handshake (RFC 6347 section 4.3.1)


class Flights:
    """Repeats the last flight of a DTLS handshake until another follows or the handshake is over.

    Args:
        dtls: A transport that has not begun.
    """

    def __init__(self, dtls: RTCDtlsTransport) -> None:
        self._dtls = dtls
        self._ice = dtls.transport
        self._send = self._ice._send
        self._timers: list[asyncio.TimerHandle] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._ice._send = self.send

    async def send(self, data: bytes) -> None:
        """Send a datagram; one of the handshake also later."""
        if data and data[0] in _HANDSHAKE_RECORDS:
            self.stop()
            loop = asyncio.get_running_loop()
            self._timers = [loop.call_later(delay_s, self._repeat, data) for delay_s in REPEAT_AFTER_S]
        await self._send(data)

    def stop(self) -> None:
        """Repeat nothing any more."""
        for timer in self._timers:
            timer.cancel()
        self._timers = []

    def _repeat(self, data: bytes) -> None:
        # The client's last flight is answered, the server's is not: who sends it cannot know that it has come.
        over = self._dtls.state in ("closed", "failed") or (
            self._dtls.state == "connected" and self._dtls._role == "client"
        )
        if over or self._ice.state == "closed":
            self.stop()
            return
        task = asyncio.ensure_future(self._send_again(data))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send_again(self, data: bytes) -> None:
        with contextlib.suppress(Exception):  # it is ending: aiortc and OpenSSL have errors of their own
            await self._send(data)


def repeat_checks(connection: Any) -> None:
    """Repeat ICE's questions of `connection`, an ``aioice.Connection`` that has gathered, until they are answered."""
    for protocol in connection._protocols:
        if "send_stun" not in vars(protocol):
            protocol.send_stun = _repeating(protocol)


def _repeating(protocol: Any) -> Any:
    send = protocol.send_stun

    def repeat(message: Any, address: Any) -> None:
        if message.transaction_id in protocol.transactions:
            send(message, address)

    def send_stun(message: Any, address: Any) -> None:
        send(message, address)
        if message.message_class == Class.REQUEST:
            loop = asyncio.get_running_loop()
            for delay_s in REPEAT_AFTER_S[:3]:  # then it is sent again anyway
                loop.call_later(delay_s, repeat, message, address)

    return send_stun


def hurry_association(sctp: Any) -> None:
    """Let an association that has not begun wait for what it has not measured yet, and no longer (RFC 9260 6.3.1)."""
    update = sctp._update_rto

    def update_rto(round_trip_s: float) -> None:
        update(round_trip_s)
        measured_s = sctp._srtt + 4 * sctp._rttvar
        sctp._rto = max(SCTP_LEAST_RTO_S, min(measured_s, SCTP_MOST_RTO_S))

    sctp._rto = SCTP_FIRST_RTO_S
    sctp._update_rto = update_rto


class Doubled:
    """Sends messages of the data channel twice: while a connection is young, and as long as packets get lost.

    What the other side sends again, late, we cannot change, but each packet that it has twice it answers twice. SCTP
    drops the second by its number (RFC 9260 section 6.2).

    Args:
        dtls: The transport of the data channel.
        loses: Whether packets get lost.
    """

    def __init__(self, dtls: Any, loses: Callable[[], bool]) -> None:
        self._dtls = dtls
        self._send = dtls._send_data
        self._loses = loses
        self._began_s: float | None = None
        self._second = 0
        self._this_second = 0
        self._sending: set[asyncio.Task[None]] = set()
        dtls._send_data = self.send

    async def send(self, data: bytes) -> None:
        """Send `data` now and, where that helps, again. Where the connection has ended, it is lost, as on any road.

        SCTP learns last that there is no connection any more. Until then it repeats what was not acknowledged, in tasks
        that nobody waits for.
        """
        try:
            await self._send(data)
        except (ConnectionError, SSL.Error):  # OpenSSL's, where aiortc has not heard of its good-bye yet
            return
        if len(data) > _CHUNK_TYPE and data[_CHUNK_TYPE] in _TWICE and self._helps():
            asyncio.get_running_loop().call_later(TWICE_AFTER_S, self._again, data)

    def _helps(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        if self._began_s is None:
            self._began_s = now_s
        if int(now_s) != self._second:
            self._second, self._this_second = int(now_s), 0
        self._this_second += 1
        return self._this_second <= MOST_TWICE_A_SECOND and (now_s - self._began_s < TWICE_AT_FIRST_S or self._loses())

    def _again(self, data: bytes) -> None:
        if self._dtls.state == "connected":
            task = asyncio.ensure_future(self._send_again(data))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send_again(self, data: bytes) -> None:
        with contextlib.suppress(Exception):  # it is ending: aiortc and OpenSSL have errors of their own
            await self._send(data)
