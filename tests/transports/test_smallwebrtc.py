"""SmallWebRTC against servers that misbehave."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aioice
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from endpoints import Listener

from spike_engine.errors import ConnectionFailed, ConversationEnded, ErrorCode, SpikeError, TokenExpired
from spike_engine.options import ClientOptions
from spike_engine.transports.base import LocalTracks
from spike_engine.transports.smallwebrtc import SmallWebRTCTransport

pytestmark = pytest.mark.usefixtures("nothing_left_open")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def transport_to(handler: Handler) -> AsyncIterator[SmallWebRTCTransport]:
    app = web.Application()
    app.router.add_post("/c/api/offer", handler)
    async with TestServer(app) as server:
        yield SmallWebRTCTransport(ClientOptions(conversation_url=str(server.make_url("/c")), token="secret"))


async def failure_of(handler: Handler) -> SpikeError:
    async with transport_to(handler) as transport:
        with pytest.raises(SpikeError) as failure:
            await transport.connect(LocalTracks(), Listener())
    return failure.value


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, ConnectionFailed),
        (401, TokenExpired),
        (403, ConnectionFailed),
        (404, ConversationEnded),
        (410, ConversationEnded),
        (429, ConnectionFailed),
        (500, ConnectionFailed),
        (503, ConnectionFailed),
    ],
)
async def test_each_status_is_its_error(status: int, error: type[SpikeError]) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text="because")

    failure = await failure_of(answer)

    assert type(failure) is error
    assert str(status) in failure.message
    assert "because" in failure.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>hello</html>",
        b"[]",
        b"null",
        b'{"sdp": 7, "type": "answer"}',
        b'{"sdp": "v=0", "type": "offer"}',
        b'{"sdp": "v=0", "type": "answer"}',
        b'{"sdp": "no session description", "type": "answer"}',
        b"\xff\xfe\x00",
    ],
)
async def test_garbage_makes_no_connection(body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    assert (await failure_of(answer)).code == ErrorCode.CONNECTION_FAILED


async def test_an_endless_answer_is_cut_off() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        except ConnectionError:
            return response

    assert "longer than" in (await failure_of(answer)).message


async def test_the_request_carries_offer_and_token() -> None:
    seen: dict[str, Any] = {}

    async def answer(request: web.Request) -> web.Response:
        seen["authorization"] = request.headers["Authorization"]
        seen.update(await request.json())
        return web.Response(status=500)

    await failure_of(answer)

    assert seen["authorization"] == "Bearer secret"
    assert seen["requestData"] == {"token": "secret"}
    assert seen["type"] == "offer"
    media = [line.split()[0] for line in seen["sdp"].splitlines() if line.startswith("m=")]
    assert media == ["m=audio", "m=video", "m=application"]
    assert "pc_id" not in json.dumps(seen)


async def test_a_machine_without_a_network_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: [])

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=500)

    failure = await failure_of(answer)

    assert failure.code == ErrorCode.CONNECTION_FAILED
    assert "no network address besides loopback" in failure.message


async def test_an_address_that_names_the_endpoint_is_used_as_it_is() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=410)

    app = web.Application()
    app.router.add_post("/api/offer", answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/api/offer"))
        with pytest.raises(ConversationEnded):
            await SmallWebRTCTransport(ClientOptions(conversation_url=url, token="t")).connect(
                LocalTracks(), Listener()
            )
