"""Candidates that follow the offer (RFC 8838), and ICE servers that do not answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from answering import WhipServer
from bot import Bot
from endpoints import ArrayMicrophone, RecordingLoudspeaker

from spike_engine import IceServer, SpikeClient
from spike_engine.server import ConversationServer, HummingPersona
from spike_engine.transports.http import Http
from spike_engine.webrtc import gathering
from spike_engine.webrtc.probe import answering

pytestmark = pytest.mark.usefixtures("nothing_left_open")

Requests = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    """What is asked of the server; candidates always come later."""
    asked: Requests = []
    monkeypatch.setattr(gathering, "AT_ONCE_S", 0.0)
    request = Http.request

    async def recorded(http: Http, method: str, url: str, **body: Any) -> Any:
        asked.append((method, body))
        return await request(http, method, url, **body)

    monkeypatch.setattr(Http, "request", recorded)
    return asked


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of something that never answers."""
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{udp.getsockname()[1]}"


def client_of(url: str, token: str, **options: Any) -> SpikeClient:
    devices: dict[str, Any] = {"audio_source": ArrayMicrophone(), "audio_output": RecordingLoudspeaker()}
    return SpikeClient(conversation_url=url, token=token, **devices, **options)


async def test_the_offer_goes_first_and_the_candidates_after_it(requests: Requests) -> None:
    async with ConversationServer(persona=HummingPersona) as server:
        invitation = server.create_conversation()
        async with client_of(invitation.conversation_url, invitation.token, join_timeout_s=20.0) as client:
            assert client.state.is_connected
    (_, offer), (method, late) = requests

    assert "a=candidate" not in offer["json"]["sdp"]
    assert "a=end-of-candidates" not in offer["json"]["sdp"]
    assert method == "PATCH"
    assert late["json"]["pc_id"]
    sections = {(one["sdp_mid"], one["sdp_mline_index"]) for one in late["json"]["candidates"]}
    assert sections == {("0", 0), ("1", 1)}
    assert all(one["candidate"].startswith("candidate:") for one in late["json"]["candidates"])


@pytest.mark.parametrize("status", [403, 404, 405, 500])
async def test_a_server_that_takes_no_candidates_is_reached_all_the_same(
    requests: Requests, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    async def refuse(*_: Any) -> web.Response:
        return web.Response(status=status)

    monkeypatch.setattr(Bot, "_trickle", refuse)
    async with Bot() as bot, client_of(bot.url, "t", video=False, join_timeout_s=20.0) as client:
        assert client.state.is_connected

    assert [method for method, _ in requests] == ["POST", "PATCH"]


async def test_a_whip_server_that_takes_no_candidates_is_reached_all_the_same(requests: Requests) -> None:
    async with WhipServer() as server, client_of(server.url, "bearer", video=False, join_timeout_s=20.0) as client:
        assert client.state.is_connected
    patches = [body for method, body in requests if method == "PATCH"]

    assert len(patches) == 2
    assert patches[0]["headers"]["Content-Type"] == "application/trickle-ice-sdpfrag"
    lines = patches[0]["data"].split("\r\n")
    assert lines[0].startswith("a=ice-ufrag:")
    assert lines[2:4] == ["m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=mid:0"]
    assert lines[4].startswith("a=candidate:")
    assert lines[-2:] == ["a=end-of-candidates", ""]


async def test_an_ice_server_that_does_not_answer_keeps_nobody_from_joining(silent: str) -> None:
    servers = [f"stun:{silent}", {"urls": f"turn:{silent}", "username": "u", "credential": "c"}]
    async with ConversationServer(persona=HummingPersona) as server:
        invitation = server.create_conversation()
        options = {"video": False, "ice_servers": servers, "join_timeout_s": 20.0}
        began_s = asyncio.get_running_loop().time()
        async with client_of(invitation.conversation_url, invitation.token, **options) as client:
            assert client.state.is_connected
        assert asyncio.get_running_loop().time() - began_s < 5.0  # which is how long ICE would have waited


@pytest.mark.parametrize("scheme", ["turn", "turns"])
async def test_a_relay_that_accepts_and_stays_silent_keeps_nobody_from_joining(scheme: str) -> None:
    held: list[asyncio.StreamWriter] = []
    stalled = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    port = stalled.sockets[0].getsockname()[1]
    turn = {"urls": f"{scheme}:127.0.0.1:{port}?transport=tcp", "username": "u", "credential": "c"}
    async with ConversationServer(persona=HummingPersona) as server, stalled:
        invitation = server.create_conversation()
        options = {"video": False, "ice_servers": [turn], "join_timeout_s": 20.0}
        async with client_of(invitation.conversation_url, invitation.token, **options) as client:
            assert client.state.is_connected
        for writer in held:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_a_host_whose_name_nobody_resolves_answers_not() -> None:
    assert await answering([IceServer(f"stun:{'a' * 70}.example"), IceServer("turn:no-such-host.invalid")]) == []


async def test_servers_that_answer_are_told_from_those_that_do_not(silent: str, unused_tcp_port: int) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(100))
        writer.close()

    listening = await asyncio.start_server(echo, "127.0.0.1", unused_tcp_port)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Echo, ("127.0.0.1", 0))
    udp = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    turn = IceServer((f"turn:{silent}", f"turn:127.0.0.1:{unused_tcp_port}?transport=tcp"), "u", "c")
    async with listening:
        found = await answering([turn, IceServer(f"stun:{silent}"), IceServer(f"stun:{udp}")])
    transport.close()

    assert [server.urls for server in found] == [turn.urls[1], f"stun:{udp}"]
    assert (found[0].username, found[0].credential) == ("u", "c")


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, source: Any) -> None:
        self.transport.sendto(data, source)
