"""Servers' ends of peer connections, of plain aiortc: the transports are tested against the wire."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self

import numpy as np
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack

from spike_engine import frames


class Voice(AudioStreamTrack):
    """Silent, or humming."""

    def __init__(self) -> None:
        super().__init__()
        self.level = 0.0

    async def recv(self) -> Any:
        silence = await super().recv()
        hum = self.level * np.sin(2 * np.pi * 250 * (silence.pts + np.arange(silence.samples)) / silence.sample_rate)
        frame = frames.audio_from_ndarray(hum.astype(np.float32), format="s16", sample_rate_hz=silence.sample_rate)
        frame.pts, frame.time_base = silence.pts, silence.time_base
        return frame


async def answer(peer: RTCPeerConnection, sdp: str, voice: Voice | None) -> str:
    await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
    if voice:
        peer.addTrack(voice)
    await peer.setLocalDescription(await peer.createAnswer())
    return str(peer.localDescription.sdp)


class RealtimeServer:
    """What OpenAI publishes of its Realtime API over WebRTC: one call at a time, whose events the test sends."""

    def __init__(self) -> None:
        self.voice = Voice()
        self.requests: list[web.Request] = []
        self.received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.refusal: int | None = None
        self._peer: RTCPeerConnection | None = None
        self._channel: Any = None
        app = web.Application()
        app.router.add_post("/v1/realtime/calls", self._call)
        self._server = TestServer(app)

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hang_up()
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("/v1/realtime/calls"))

    def say(self, kind: str, **fields: Any) -> None:
        self._channel.send(json.dumps({"type": kind, "event_id": "event_1", **fields}))

    async def hang_up(self) -> None:
        if self._peer:
            await self._peer.close()

    async def _call(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        if self.refusal:
            return web.json_response({"error": {"message": "no"}}, status=self.refusal)
        assert request.content_type == "application/sdp"
        peer = self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.on("datachannel", self._on_channel)
        sdp = await answer(peer, (await request.read()).decode(), self.voice)
        # The real one offers a path over TCP as well, which aiortc has no use for.
        tcp = "a=candidate:1432411780 1 tcp 1671430143 192.0.2.1 443 typ host tcptype passive\r\n"
        sdp = sdp.replace("a=end-of-candidates", f"{tcp}a=end-of-candidates", 1)
        headers = {"Location": "/v1/realtime/calls/rtc_123"}
        return web.Response(status=201, text=sdp, content_type="application/sdp", headers=headers)

    def _on_channel(self, channel: Any) -> None:
        assert channel.label == "oai-events"
        self._channel = channel
        channel.on("message", lambda text: self.received.put_nowait(json.loads(text)))
        self.say("session.created", session={"type": "realtime", "id": "sess_1"})


class WhipServer:
    """WHIP (RFC 9725) and WHEP endpoints of one room without people: what comes in is kept, a hum goes out."""

    def __init__(self) -> None:
        self.voice = Voice()
        self.deleted: list[str] = []
        self.authorizations: list[str] = []
        self.tracks: list[Any] = []
        self.peers: dict[str, RTCPeerConnection] = {}
        app = web.Application()
        app.router.add_post("/whip/room", self._publish)
        app.router.add_post("/whep/room", self._play)
        app.router.add_delete("/sessions/{id}", self._delete)
        self._server = TestServer(app)

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        for peer in self.peers.values():
            await peer.close()
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("/whip/room"))

    async def _publish(self, request: web.Request) -> web.Response:
        sdp = (await request.read()).decode()
        assert "a=sendonly" in sdp
        assert "a=sendrecv" not in sdp
        return await self._open(request, sdp, "in", None)

    async def _play(self, request: web.Request) -> web.Response:
        sdp = (await request.read()).decode()
        assert "a=recvonly" in sdp
        assert "a=sendrecv" not in sdp
        return await self._open(request, sdp, "out", self.voice)

    async def _open(self, request: web.Request, sdp: str, name: str, voice: Voice | None) -> web.Response:
        self.authorizations.append(request.headers["Authorization"])
        peer = self.peers[name] = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        if not voice:
            peer.on("track", self.tracks.append)
        text = await answer(peer, sdp, voice)
        headers = {"Location": f"/sessions/{name}"}
        return web.Response(status=201, text=text, content_type="application/sdp", headers=headers)

    async def _delete(self, request: web.Request) -> web.Response:
        self.deleted.append(request.match_info["id"])
        return web.Response()
