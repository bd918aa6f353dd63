"""SmallWebRTC with RTVI messages: the transport of pipecat servers and of the embedded one.

One HTTP request carries the offer (JSEP, RFC 8829) and brings the answer; media runs over ICE, DTLS and SRTP, messages
over the data channel ``chat``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.stats import RTCInboundRtpStreamStats, RTCRemoteInboundRtpStreamStats, RTCTransportStats

from spike_engine.errors import ConnectionFailed, ConversationEnded, SpikeError, TokenExpired
from spike_engine.events import DisconnectReason
from spike_engine.options import ClientOptions
from spike_engine.protocol import encode_signalling
from spike_engine.transports.base import LocalMedia, TransportListener, TransportStats

PING_INTERVAL_S = 1.0
# A living peer sends RTCP reports at least every 1.5 s, so this long a silence is a dead one. aiortc alone takes 30 s.
SILENCE_LIMIT_S = 3.0
CLOSE_TIMEOUT_S = 2.0
_MAX_ANSWER_BYTES = 1 << 20


class SmallWebRTCTransport:
    """One conversation over an aiortc peer connection. Implements :class:`~spike_engine.transports.base.Transport`."""

    def __init__(self, options: ClientOptions) -> None:
        self._options = options
        self._connection: _Connection | None = None
        self._peer_id: str | None = None

    async def connect(self, media: LocalMedia, listener: TransportListener) -> None:
        """See :meth:`Transport.connect`; a second call restarts the server's peer connection (``restart_pc``)."""
        await self.close()
        connection = self._connection = _Connection(media, listener)
        try:
            answer = await self._exchange(await connection.create_offer())
            self._peer_id = answer.get("pc_id") or self._peer_id
            await connection.accept(answer)
        except BaseException:
            await self.close()
            raise

    def send(self, text: str) -> None:
        """See :meth:`Transport.send`."""
        if self._connection:
            self._connection.send(text)

    def set_track_enabled(self, kind: str, *, enabled: bool) -> None:
        """See :meth:`Transport.set_track_enabled`."""
        receiver_index = {"audio": 0, "video": 1}[kind]
        self.send(encode_signalling("trackStatus", receiver_index=receiver_index, enabled=enabled))

    async def get_stats(self) -> TransportStats:
        """See :meth:`Transport.get_stats`."""
        return await self._connection.get_stats() if self._connection else TransportStats()

    async def close(self) -> None:
        """See :meth:`Transport.close`."""
        connection, self._connection = self._connection, None
        if connection:
            await connection.close()

    async def _exchange(self, offer: RTCSessionDescription) -> dict[str, Any]:
        """Send the offer and return the server's answer, or the error that its status means."""
        body: dict[str, Any] = {"sdp": offer.sdp, "type": offer.type, "requestData": {"token": self._options.token}}
        if self._peer_id:
            body |= {"pc_id": self._peer_id, "restart_pc": True}
        url = _offer_url(self._options.conversation_url)
        headers = {"Authorization": f"Bearer {self._options.token}"}
        try:
            async with aiohttp.ClientSession() as http, http.post(url, json=body, headers=headers) as response:
                content = await _read_limited(response)
                if response.status != 200:
                    raise _error_of_status(response.status, content)
                return _parse_answer(content)
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionFailed(f"{url} could not be reached: {error or type(error).__name__}") from error


class _Connection:
    """One peer connection with its data channel, pings and watchdog, from offer to close."""

    def __init__(self, media: LocalMedia, listener: TransportListener) -> None:
        self._listener = listener
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._media = media
        self._channel: RTCDataChannel | None = None
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    async def create_offer(self) -> RTCSessionDescription:
        # The channel comes last: aiortc's bundle needs a transceiver to carry it.
        self._add_transceiver("audio", self._media.audio)
        if self._media.wants_video:
            self._add_transceiver("video", self._media.video)
        self._channel = self._peer.createDataChannel("chat", ordered=True)
        self._channel.on("open", self._on_open)
        self._channel.on("close", self._on_lost)
        self._channel.on("message", self._on_message)
        self._peer.on("track", self._listener.on_track)
        self._peer.on("connectionstatechange", self._on_state)
        await self._peer.setLocalDescription(await self._peer.createOffer())
        offer = self._peer.localDescription
        if "a=candidate:" not in offer.sdp:  # aioice leaves loopback out
            raise ConnectionFailed("this machine has no network address besides loopback, which ICE does not use")
        return offer

    async def accept(self, answer: dict[str, Any]) -> None:
        """Apply the server's answer and wait until the channel is open."""
        try:
            await self._peer.setRemoteDescription(RTCSessionDescription(sdp=answer["sdp"], type=answer["type"]))
        except SpikeError:
            raise
        except Exception as error:  # aiortc's parser raises whatever the text makes it stumble over
            raise ConnectionFailed(f"the server's answer is not usable: {error!r}") from error
        await self._opened

    def send(self, text: str) -> None:
        if self._channel and self._channel.readyState == "open":
            self._channel.send(text)

    async def get_stats(self) -> TransportStats:
        totals: dict[str, Any] = {}
        lost, jitter_ms, round_trip_s = 0, None, None
        for stats in (await self._peer.getStats()).values():
            if isinstance(stats, RTCTransportStats):
                totals = {
                    "packets_received": stats.packetsReceived,
                    "packets_sent": stats.packetsSent,
                    "bytes_received": stats.bytesReceived,
                    "bytes_sent": stats.bytesSent,
                }
            elif isinstance(stats, RTCInboundRtpStreamStats):
                lost += stats.packetsLost
                if stats.kind == "audio":
                    jitter_ms = stats.jitter / 48.0  # in samples of Opus's 48 kHz clock
            elif isinstance(stats, RTCRemoteInboundRtpStreamStats) and stats.roundTripTime is not None:
                round_trip_s = max(round_trip_s or 0.0, stats.roundTripTime)
        round_trip_ms = None if round_trip_s is None else round_trip_s * 1000
        return TransportStats(**totals, packets_lost=lost, jitter_ms=jitter_ms, round_trip_time_ms=round_trip_ms)

    async def close(self) -> None:
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not self._opened.done():
            self._opened.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._peer.close()

    def _add_transceiver(self, kind: str, track: Any) -> None:
        self._peer.addTransceiver(track or kind, direction="sendrecv" if track else "recvonly")

    def _on_open(self) -> None:
        if not self._opened.done():
            self._opened.set_result(None)
            self._tasks = [asyncio.create_task(self._ping()), asyncio.create_task(self._watch())]

    def _on_message(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._listener.on_message(message)

    def _on_state(self) -> None:
        match self._peer.connectionState:
            case "failed":
                self._on_failed(DisconnectReason.NETWORK, ConnectionFailed("no path to the server (ICE failed)"))
            case "closed":
                self._on_lost()

    def _on_lost(self) -> None:
        """The server said good-bye on DTLS or SCTP: it is alive, and has ended the call."""
        self._on_failed(DisconnectReason.ENDED, ConversationEnded("the server closed the connection"))

    def _on_failed(self, reason: DisconnectReason, error: SpikeError) -> None:
        if self._closing:
            return
        if not self._opened.done():
            self._opened.set_exception(error)
        else:
            self._closing = True
            self._listener.on_closed(reason, error)

    async def _ping(self) -> None:
        while True:
            self.send(f"ping: {time.time_ns() // 1_000_000}")
            await asyncio.sleep(PING_INTERVAL_S)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        received, heard_at = 0, loop.time()
        while loop.time() - heard_at < SILENCE_LIMIT_S:
            await asyncio.sleep(SILENCE_LIMIT_S / 10)
            now_received = (await self.get_stats()).packets_received
            if now_received != received:
                received, heard_at = now_received, loop.time()
        self._on_failed(DisconnectReason.NETWORK, ConnectionFailed(f"the server was silent for {SILENCE_LIMIT_S:g} s"))


def _offer_url(conversation_url: str) -> str:
    base = conversation_url.rstrip("/")
    return base if urlsplit(base).path.endswith("/api/offer") else f"{base}/api/offer"


def _error_of_status(status: int, content: bytes) -> SpikeError:
    text = content[:200].decode("utf-8", "replace").strip()
    message = f"the server answered {status}: {text}" if text else f"the server answered {status}"
    if status == 401:
        return TokenExpired(message)
    return ConversationEnded(message) if status in (404, 410) else ConnectionFailed(message)


async def _read_limited(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > _MAX_ANSWER_BYTES:
            raise ConnectionFailed(f"the server's answer is longer than {_MAX_ANSWER_BYTES} bytes")
    return bytes(content)


def _parse_answer(content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError as error:
        raise ConnectionFailed(f"the server's answer is no JSON: {content[:80]!r}") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("sdp"), str) or answer.get("type") != "answer":
        raise ConnectionFailed(f"the server's answer holds no SDP answer: {content[:80]!r}")
    return answer
