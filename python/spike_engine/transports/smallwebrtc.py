"""SmallWebRTC with RTVI messages: the transport of pipecat servers and of the embedded one.

One HTTP request carries the offer (JSEP, RFC 8829) and brings the answer; media runs over ICE, DTLS and SRTP, messages
over the data channel ``chat``. An address that ends in ``/start`` is asked first for a session, as pipecat's runner and
its cloud have it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from spike_engine.addresses.ice import IceServer
from spike_engine.addresses.text import printable
from spike_engine.addresses.web import extended
from spike_engine.errors import ConnectionFailed, InvalidOption, SpikeError
from spike_engine.events import DisconnectReason
from spike_engine.options import ClientOptions
from spike_engine.protocols.rtvi import RTVIProtocol, encode_signalling
from spike_engine.protocols.strict_json import object_of, parse_object, text_or_none
from spike_engine.transports.base import LocalTracks, TransportListener
from spike_engine.transports.http import Http, parse_answer
from spike_engine.transports.peer import Peer
from spike_engine.transports.single import SinglePeer

logger = logging.getLogger(__name__)

PING_INTERVAL_S = 1.0


class SmallWebRTCTransport(SinglePeer):
    """One conversation over an aiortc peer connection. Implements :class:`~spike_engine.transports.base.Transport`."""

    carries_video = True

    def __init__(self, options: ClientOptions) -> None:
        super().__init__(options)
        self._url = _offer_url(options.conversation_url)
        self._http = Http.of(options)
        self._listener: TransportListener | None = None
        self._peer_id: str | None = None
        self._ice_servers: tuple[IceServer, ...] = ()
        self._wishes = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def create_protocol(self) -> RTVIProtocol:
        """See :meth:`Transport.create_protocol`: RTVI."""
        return RTVIProtocol()

    async def connect(self, media: LocalTracks, listener: TransportListener) -> None:
        """See :meth:`Transport.connect`; a second call restarts the server's peer connection (``restart_pc``)."""
        await self.close()
        if urlsplit(self._url).path.endswith("/start"):
            await self._start()
        self._listener = listener
        self._wishes.clear()
        peer = self._peer = await Peer.create(self._options, self, channel="chat", ice_servers=self._ice_servers)
        try:
            answer = await self._exchange(await peer.create_offer(media), restart=True)
            await self._trickle(peer)
            await peer.accept(answer)
        except BaseException:
            await self.close()
            raise
        self._spawn(self._ping())
        self._spawn(self._renegotiate(peer))

    def set_track_enabled(self, kind: str, *, enabled: bool) -> None:
        """See :meth:`Transport.set_track_enabled`."""
        receiver_index = {"audio": 0, "video": 1}[kind]
        self.send(encode_signalling("trackStatus", receiver_index=receiver_index, enabled=enabled))

    async def close(self) -> None:
        """See :meth:`Transport.close`."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await super().close()

    # --- what the peer connection reports -----------------------------------------------------------------------------

    def on_message(self, text: str) -> None:
        """See :class:`~spike_engine.transports.base.TransportListener`; a wish to renegotiate stays here."""
        if text.startswith("{") and '"renegotiate"' in text[:80] and _is_renegotiate(text):
            self._wishes.set()
        elif self._listener:
            self._listener.on_message(text)

    def on_track(self, track: Any) -> None:
        """See :class:`~spike_engine.transports.base.TransportListener`."""
        if self._listener:
            self._listener.on_track(track)

    def on_closed(self, reason: DisconnectReason, error: SpikeError) -> None:
        """See :class:`~spike_engine.transports.base.TransportListener`."""
        if self._listener:
            self._listener.on_closed(reason, error)

    # --- signalling ---------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        """Ask for a session; its address takes the place of the one that was given."""
        body = {"transport": "webrtc", "enableDefaultIceServers": False, "body": self._secret()}
        content = (await self._http.request("POST", self._url, json=body)).content
        session = parse_answer(content)
        session_id = text_or_none(session.get("sessionId"))
        if not session_id:
            raise ConnectionFailed(f"the server's answer names no session: {content[:80]!r}")
        self._ice_servers = tuple(_usable(object_of(session.get("iceConfig")).get("iceServers")))
        parts = urlsplit(self._url)
        path = f"{parts.path.removesuffix('/start')}/sessions/{quote(session_id, safe='')}/api/offer"
        self._url = parts._replace(path=path).geturl()

    async def _exchange(self, offer: Any, *, restart: bool) -> str:
        """Send the offer and return the server's answer, or the error that its status means."""
        body: dict[str, Any] = {"sdp": offer.sdp, "type": offer.type, "requestData": self._secret()}
        if self._peer_id:
            body |= {"pc_id": self._peer_id, "restart_pc": restart}
        content = (await self._http.request("POST", self._url, json=body)).content
        answer = parse_answer(content)
        if not isinstance(answer.get("sdp"), str) or answer.get("type") != "answer":
            raise ConnectionFailed(f"the server's answer holds no SDP answer: {content[:80]!r}")
        self._peer_id = text_or_none(answer.get("pc_id")) or self._peer_id
        return str(answer["sdp"])

    def _secret(self) -> dict[str, str]:
        """The token, where it may travel; servers find it in the body, too."""
        token = self._http.token_for(self._url)
        return {"token": token} if token else {}

    async def _trickle(self, peer: Peer) -> None:
        """Send the candidates that the offer did not have yet.

        A server that does not take them, whatever it answers, will see where we are from our own checks.
        """
        if gathering := await peer.late_candidates():
            body = {"pc_id": self._peer_id, "candidates": gathering.candidates()}
            with contextlib.suppress(SpikeError):
                await self._http.request("PATCH", self._url, accept=(200, 202, 204), json=body)

    async def _renegotiate(self, peer: Peer) -> None:
        """Offer the same connection anew whenever the server wishes, one at a time, however often it says so.

        Where that fails, the connection is none any more.
        """
        while True:
            await self._wishes.wait()
            self._wishes.clear()
            try:
                await peer.accept(await self._exchange(await peer.renew_offer(), restart=False))
            except SpikeError as error:
                self.on_closed(DisconnectReason.NETWORK, error)
                return

    async def _ping(self) -> None:
        while True:
            self.send(f"ping: {time.time_ns() // 1_000_000}")
            await asyncio.sleep(PING_INTERVAL_S)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _offer_url(conversation_url: str) -> str:
    base = extended(conversation_url, "")
    return base if urlsplit(base).path.endswith(("/api/offer", "/start")) else extended(base, "/api/offer")


def _usable(servers: Any) -> Iterator[IceServer]:
    """Those that are ICE servers: without the others there may be a way all the same."""
    for server in servers if isinstance(servers, list) else []:
        try:
            yield IceServer.of(server)
        except InvalidOption as error:
            logger.warning("the server named an ICE server that is none: %s", printable(str(error)))


def _is_renegotiate(text: str) -> bool:
    message = parse_object(text) or {}
    return message.get("type") == "signalling" and object_of(message.get("message")).get("type") == "renegotiate"
