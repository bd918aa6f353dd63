"""A bot of plain aiortc behind SmallWebRTC that says whatever a test wants, text or bytes, right or wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from spike_engine.protocols.rtvi import encode
from spike_engine.webrtc import improve
from spike_engine.webrtc.closing import close, step


class Bot:
    """Answers offers and says that it is ready. Who joins again takes the place of who was there.

    Args:
        on_answer: Changes the SDP of an answer before it is sent.
        tracks: What it sends.
        improved: Whether its connection is.
        port: Where it listens; None for any port that is free.
        on_ready: Called when it has said that it is ready.
    """

    def __init__(
        self,
        on_answer: Callable[[str], str] = lambda sdp: sdp,
        *,
        tracks: Sequence[MediaStreamTrack] = (),
        improved: bool = False,
        port: int | None = None,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.heard: list[str | bytes] = []
        self.offers = 0
        self._on_answer = on_answer
        self._tracks = tracks
        self._improved = improved
        self._on_ready = on_ready
        self._peer: RTCPeerConnection | None = None
        self._channel: Any = None
        app = web.Application()
        app.router.add_post("/c/api/offer", self._offer)
        app.router.add_patch("/c/api/offer", self._trickle)
        self._server = TestServer(app, port=port)

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._peer:
            await close(self._peer)
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("/c"))

    def say(self, message: str | bytes) -> None:
        self._channel.send(message)

    async def say_bytes_as_text(self, content: bytes) -> None:
        """What aiortc itself never sends: a text message whose bytes are no UTF-8."""
        transport = self._channel.transport
        await transport._send(self._channel.id, 51, content)  # 51: WebRTC String (RFC 8831 section 8)

    async def _offer(self, request: web.Request) -> web.Response:
        self.offers += 1
        body = await request.json()
        if self._peer and body.get("restart_pc"):
            before, self._peer = self._peer, None
            await close(before)
        if self._peer is None:
            self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
            self._peer.on("datachannel", self._on_channel)
            if self._improved:
                improve(self._peer)
        await step(self._peer, self._peer.setRemoteDescription(RTCSessionDescription(body["sdp"], body["type"])))
        for track in self._tracks if self.offers == 1 else ():
            self._peer.addTrack(track)
        await step(self._peer, self._peer.setLocalDescription(await self._peer.createAnswer()))
        sdp = self._on_answer(self._peer.localDescription.sdp)
        return web.json_response({"sdp": sdp, "type": "answer", "pc_id": "bot"})

    async def _trickle(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "success"})

    def _on_channel(self, channel: Any) -> None:
        self._channel = channel
        channel.on("message", self._on_message)

    def _on_message(self, message: str | bytes) -> None:
        self.heard.append(message)
        if isinstance(message, str) and '"client-ready"' in message:
            self.say(encode("bot-ready"))
            self._on_ready()
