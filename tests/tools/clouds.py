"""Local stand-ins of clouds that talk through a WebSocket, as far as is published of the wire."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Self

from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer
from leaky_room import bot_speech


class Cloud:
    """A server that speaks through a WebSocket; the test says how."""

    def __init__(
        self,
        talk: Callable[[web.WebSocketResponse, bytearray], Awaitable[None]],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.heard = bytearray()
        self._tls = tls
        self._talk = talk
        app = web.Application()
        app.router.add_get("/{path:.*}", self._connect)
        self._server = TestServer(app, scheme="https" if tls else "http")

    async def __aenter__(self) -> Self:
        await self._server.start_server(ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("/")).rstrip("/")

    async def _connect(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=1 << 24)
        await socket.prepare(request)
        await self._talk(socket, self.heard)
        return socket


async def messages(socket: web.WebSocketResponse) -> AsyncIterator[dict[str, Any]]:
    async for message in socket:
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            yield json.loads(message.data)


async def openai_realtime(socket: web.WebSocketResponse, heard: bytearray) -> None:
    delta = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
    started = False
    await socket.send_json({"type": "session.created", "event_id": "e1", "session": {"type": "realtime"}})
    async for message in messages(socket):
        if message["type"] != "input_audio_buffer.append":
            continue
        heard += base64.b64decode(message["audio"])
        if not started:
            started = True
            audio = base64.b64encode(bot_speech(24000)).decode()
            await socket.send_json({"type": "response.output_audio.delta", "event_id": "e2", "delta": audio, **delta})


async def gemini_live(socket: web.WebSocketResponse, heard: bytearray) -> None:
    async for message in messages(socket):
        if "setup" in message:
            await socket.send_json({"setupComplete": {}})
            blob = {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(bot_speech(24000)).decode()}
            await socket.send_json({"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}]}}})
        elif spoken := message.get("realtimeInput") or message.get("realtime_input"):
            heard += base64.urlsafe_b64decode(spoken["audio"]["data"])
