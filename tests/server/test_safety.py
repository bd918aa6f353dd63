"""What the embedded server refuses, and what it says about itself to browsers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
from typing import Any

import aiohttp
import pytest
from host import Host

from spike_engine import SpikeClient
from spike_engine.server import ConversationServer, Invitation, safety
from spike_engine.server.peer import MAX_MESSAGES_PER_S
from spike_engine.server.safety import Pace

pytestmark = pytest.mark.usefixtures("nothing_left_open")


async def status_of(url: str, method: str = "POST", **options: Any) -> int:
    async with aiohttp.ClientSession() as http, http.request(method, url, **options) as response:
        await response.read()
        return response.status


def silent_client(invitation: Invitation) -> SpikeClient:
    return SpikeClient(
        conversation_url=invitation.conversation_url,
        token=invitation.token,
        video=False,
        audio=False,
        audio_output=None,
        join_timeout_s=20.0,
    )


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://127.0.0.1:1"]
)
async def test_a_page_of_a_stranger_opens_no_conversation(origin: str) -> None:
    async with ConversationServer(persona=Host) as server:
        assert await status_of(f"{server.url}/conversations", headers={"Origin": origin}) == 403
        assert await status_of(f"{server.url}/conversations", headers={"Origin": server.url}) == 201


@pytest.mark.parametrize("name", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "[::1", "\xff"])
async def test_a_strangers_name_that_leads_here_is_none_of_ours(name: str) -> None:
    async with ConversationServer(persona=Host, allowed_origins=["https://bot.example"]) as server:
        for path in ("/health", "/"):
            assert await status_of(server.url + path, "GET", headers={"Host": name}) in (400, 421)
        for own in ("localhost:7860", "127.0.0.1", "[::1]:7860", "bot.example"):
            assert await status_of(f"{server.url}/health", "GET", headers={"Host": own}) == 200


async def test_a_server_for_a_whole_network_has_any_name() -> None:
    async with ConversationServer("0.0.0.0", persona=Host) as server:
        port = server.url.rpartition(":")[2]
        url = f"http://127.0.0.1:{port}/health"
        assert await status_of(url, "GET", headers={"Host": "bot.example"}) == 200


async def test_it_listens_on_loopback_unless_told() -> None:
    async with ConversationServer(persona=Host) as server:
        assert server.url.startswith("http://127.0.0.1:")


async def test_answers_are_neither_kept_nor_framed_nor_guessed_at() -> None:
    async with ConversationServer(persona=Host) as server, aiohttp.ClientSession() as http:
        for method, path in (("POST", "/conversations"), ("GET", "/health"), ("GET", "/none"), ("PUT", "/health")):
            async with http.request(method, server.url + path) as response:
                for name, value in safety.HEADERS.items():
                    assert response.headers[name] == value


async def test_a_body_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safety, "REQUEST_TIMEOUT_S", 0.2)
    async with ConversationServer(persona=Host) as server:
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /conversations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
        line = await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    assert b" 408 " in line


def token_with_header(header: bytes) -> str:
    return base64.urlsafe_b64encode(header).decode().rstrip("=") + ".e30.AAAA"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "é",
        "\ud800",
        "x" * 100_000,
        token_with_header(b"[" * 2000),
        token_with_header(b'{"alg":"none"}'),
        token_with_header(b'{"alg":["HS256"]}'),
        token_with_header(b"null"),
        None,
        7,
        ["a"],
        {"a": 1},
    ],
    ids=range(13),
)
async def test_any_token_in_a_body_is_refused_with_words(token: Any) -> None:
    async with ConversationServer(persona=Host) as server:
        url = f"{server.create_conversation().conversation_url}/api/offer"
        body = {"sdp": "v=0", "type": "offer", "requestData": {"token": token}}
        assert await status_of(url, data=json.dumps(body)) == 401


async def test_bytes_in_a_header_are_refused_with_words() -> None:
    async with ConversationServer(persona=Host, invite_only=True) as server:
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /conversations HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \xff\xfe\r\n\r\n")
        line = await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    assert b" 401 " in line or b" 400 " in line


CANDIDATES = [
    [{"candidate": None}],
    [{"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host"}],
    [{"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdp_mid": {}, "sdp_mline_index": []}],
    [{"candidate": "candidate:1 1 udp x y z typ host", "sdp_mid": "0"}],
    [{"candidate": ["candidate:"]}],
    [{"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdp_mid": "0", "sdp_mline_index": 0}] * 100,
]


@pytest.mark.parametrize("candidates", CANDIDATES, ids=range(len(CANDIDATES)))
async def test_candidates_of_any_shape_and_number_end_no_call(candidates: Any) -> None:
    async with ConversationServer(persona=Host) as server:
        invitation = server.create_conversation()
        client = silent_client(invitation)
        async with client:
            peer_id = client._transport._peer_id  # type: ignore[union-attr]
            url = f"{invitation.conversation_url}/api/offer"
            headers = {"Authorization": f"Bearer {invitation.token}"}
            body = {"pc_id": peer_id, "candidates": candidates}
            assert await status_of(url, "PATCH", json=body, headers=headers) in (200, 400)
            assert client.state.is_connected


def test_a_flood_is_dropped_and_a_slow_client_is_not() -> None:
    now = [0.0]
    pace = Pace(10, lambda: now[0])
    assert [pace.allows() for _ in range(12)] == [True] * 10 + [False] * 2
    now[0] = 0.5
    assert [pace.allows() for _ in range(6)] == [True] * 5 + [False]


async def test_a_flood_of_messages_ends_no_call_and_no_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with ConversationServer(persona=Host) as server:
        invitation = server.create_conversation()
        client = silent_client(invitation)
        refused: list[Any] = []
        client.on("error", refused.append)
        async with client:
            for number in range(1000):
                client.send_message("flood", number)
            await client.wait_for("error", timeout=20)
            await asyncio.sleep(0.5)  # the rest arrives and is dropped
            assert client.state.is_connected
            assert len(refused) <= 2 * MAX_MESSAGES_PER_S
    assert invitation.token not in caplog.text


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: \0\r\n\r\n",
        b"\x16\x03\x01\x02\0",
        b"GET / HTTP/1.1\r\n" + 70_000 * b"x",
    ],
)
async def test_what_is_no_http_is_refused_without_a_traceback(
    request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with ConversationServer(persona=Host) as server:
        host, port = server.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request_ + b"\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()

    assert answer.startswith(b"HTTP/1.0 400")
    assert caplog.text == ""
