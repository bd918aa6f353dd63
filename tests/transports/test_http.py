"""The requests of transports against servers, proxies and networks that do as they like."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import pytest
from aiohttp import web
from endpoints import Listener

from spike_engine import ConnectionFailed, InvalidOption, SpikeClient, SpikeError, TokenExpired
from spike_engine.addresses.hosts import is_on_the_local_network
from spike_engine.options import ClientOptions, IceServer
from spike_engine.transports.base import LocalTracks
from spike_engine.transports.http import Http
from spike_engine.transports.openai_realtime import OpenAIRealtimeTransport
from spike_engine.transports.smallwebrtc import SmallWebRTCTransport
from spike_engine.transports.whip import WhipTransport
from spike_engine.webrtc.probe import MOST_ADDRESSES, answering

pytestmark = pytest.mark.usefixtures("nothing_left_open")

SECRET = "hunter2"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Answers by `handler` and keeps what it was asked: method, path with query, token, content."""

    def __init__(self, handler: Handler, host: str = "127.0.0.1") -> None:
        self._host = host
        self.asked: list[tuple[str, str, str | None, str]] = []
        self._handler = handler

    async def __aenter__(self) -> Self:
        async def answer(request: web.Request) -> web.StreamResponse:
            content = await request.text()
            url = str(request.url) if request.raw_path.startswith("http") else request.path_qs
            self.asked.append((request.method, url, request.headers.get("Authorization"), content))
            return await self._handler(request)

        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, 0).start()
        self.port = self._runner.addresses[0][1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.url = f"http://{host}:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


async def answer_fine(_: web.Request) -> web.Response:
    return web.Response(text="fine")


@asynccontextmanager
async def redirecting(status: int, location: str) -> AsyncIterator[Server]:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/to":
            return web.Response(text="fine")
        return web.Response(status=status, headers={"Location": location})

    async with Server(answer) as server:
        yield server


def own_private_address() -> str:
    """An address of this machine in a private network; asking for the way there sends nothing."""
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((elsewhere, 9))
            host: str = asking.getsockname()[0]
            if is_on_the_local_network(f"http://[{host}]" if ":" in host else f"http://{host}"):
                return host
    pytest.skip("this machine is in no private network")


def http_to(server: Server) -> Http:
    return Http(SECRET, server.url)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("body", [{"json": {"token": SECRET}}, {"data": "v=0"}], ids=["json", "sdp"])
async def test_a_redirect_to_the_same_origin_keeps_method_content_and_token(status: int, body: Any) -> None:
    async with redirecting(status, "/to?room=1") as server:
        answer = await http_to(server).request("POST", f"{server.url}/from", **body)

        assert answer.text == "fine"
        first, second = server.asked
        assert first == ("POST", "/from", f"Bearer {SECRET}", first[3])
        assert second == ("POST", "/to?room=1", f"Bearer {SECRET}", first[3])


async def test_see_other_is_asked_by_get_without_the_content() -> None:
    async with redirecting(303, "/to") as server:
        await http_to(server).request("POST", f"{server.url}/from", json={"token": SECRET})

        assert server.asked[1] == ("GET", "/to", f"Bearer {SECRET}", "")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_token_follows_no_redirect_to_another_origin(status: int) -> None:
    async with Server(answer_fine) as other, redirecting(status, f"{other.url}/to") as server:
        with pytest.raises(ConnectionFailed, match="leads to another server") as failure:
            await http_to(server).request("POST", f"{server.url}/from", json={"token": SECRET})
        answer = await http_to(server).request("POST", f"{server.url}/from", data="v=0")

        assert not failure.value.can_retry
        assert answer.text == "fine"
        assert SECRET not in str(other.asked)
        assert len(other.asked) == 1


async def test_another_origin_that_wants_the_token_is_named() -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=401)

    async with Server(refuse) as other, redirecting(307, f"{other.url}/to") as server:
        with pytest.raises(ConnectionFailed, match="wants a token") as failure:
            await http_to(server).request("POST", f"{server.url}/from", data="v=0")

        assert other.url in failure.value.message


async def test_a_server_of_the_local_network_is_asked_without_the_token_over_plain_http() -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=401)

    async with Server(refuse, host=own_private_address()) as server:
        for transport in TRANSPORTS:
            connection = transport(ClientOptions(conversation_url=f"{server.url}/whip", token=SECRET))
            with pytest.raises(ConnectionFailed, match="allow_insecure=True"):
                await connection.connect(LocalTracks(), Listener())
        assert len(server.asked) == len(TRANSPORTS)
        assert SECRET not in str(server.asked)

        told = SmallWebRTCTransport(ClientOptions(conversation_url=server.url, token=SECRET, allow_insecure=True))
        with pytest.raises(TokenExpired):
            await told.connect(LocalTracks(), Listener())
        assert server.asked[-1][2] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("status", "location", "words"),
    [
        (300, "/to", "300"),
        (304, "", "304"),
        (305, "/to", "305"),
        (307, "", "leads nowhere"),
        (307, "ftp://elsewhere.example/", "http:// or https://"),
        (307, "https://me:pass@elsewhere.example/", "no user name"),
        (307, "http://[broken", "307"),
        (307, "/from", "more than"),
    ],
)
async def test_what_is_not_followed_is_said_in_words(status: int, location: str, words: str) -> None:
    async with redirecting(status, location) as server:
        with pytest.raises(ConnectionFailed, match=words) as failure:
            await http_to(server).request("POST", f"{server.url}/from", data="v=0")

        assert not failure.value.can_retry


async def test_a_proxy_is_asked_with_its_password_and_gets_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords: list[str | None] = []

    async def proxy(request: web.Request) -> web.Response:
        passwords.append(request.headers.get("Proxy-Authorization"))
        return web.Response(status=503)

    async with Server(proxy) as server:
        monkeypatch.setenv("http_proxy", server.url.replace("//", "//me:pass@"))
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        client = SpikeClient(
            conversation_url="http://bot.invalid/c?room=1", token=SECRET, video=False, audio=False, audio_output=None
        )
        with pytest.raises(ConnectionFailed, match="503"):
            await client.join()

        assert server.asked[0][:3] == ("POST", "http://bot.invalid/c/api/offer?room=1", f"Bearer {SECRET}")
        assert passwords == ["Basic bWU6cGFzcw=="]


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "http://127.0.0.1:9", "nonsense://", "http://[::1"])
async def test_a_proxy_that_is_none_is_a_failed_connection(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    with pytest.raises(ConnectionFailed, match="could not be reached"):
        await Http(SECRET, "https://bot.invalid").request("GET", "https://bot.invalid/")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", b"no HTTP\r\n\r\n", b""])
async def test_a_proxy_that_refuses_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://me:hunter3@127.0.0.1:{port}")
        with pytest.raises(ConnectionFailed, match="could not be reached") as failure:
            await Http(SECRET, "https://bot.invalid").request("GET", "https://bot.invalid/")

    assert "hunter3" not in failure.value.message
    assert "None" not in failure.value.message
    assert failure.value.message.isprintable()


async def test_names_of_this_machine_are_asked_for_nowhere_else() -> None:
    async with Server(answer_fine) as server:
        for host in ("bot.localhost", "localhost.", "LOCALHOST"):
            url = f"http://{host}:{server.port}/"
            assert (await Http(SECRET, url).request("GET", url)).text == "fine"


async def test_a_page_for_browsers_is_not_shown() -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=502, text="<html><body>Bad gateway</body></html>")

    async with Server(refuse) as server:
        with pytest.raises(ConnectionFailed, match=r"answered 502$"):
            await http_to(server).request("GET", server.url)


@pytest.mark.parametrize("file", ["missing.pem", "/", __file__, 7, b"\xff", ""])
def test_a_file_of_authorities_that_is_none_is_refused(file: Any) -> None:
    with pytest.raises(InvalidOption, match="ca_file"):
        ClientOptions(conversation_url="https://bot.example", token="t", ca_file=file)


BODIES = [
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"x" * (2 << 20),
    b"null",
    b"NaN",
    b'{"sdp": null, "type": "answer"}',
    b'{"sdp": "v=0", "type": null, "pc_id": NaN}',
    b'{"sdp": {"sdp": "v=0"}, "type": "answer"}',
    b'{"sdp": "\\ud800", "type": "answer"}',
    b'{"sdp": "v=0\\r\\nm=audio x y z\\r\\n", "type": "answer", "pc_id": {"a": 1}}',
    b"\x00\xff\xfe",
    gzip.compress(b" " * (64 << 20)),
]
TRANSPORTS = [SmallWebRTCTransport, OpenAIRealtimeTransport, WhipTransport]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_an_answer_that_is_none_is_a_failed_connection(
    transport: Any, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(_: web.Request) -> web.Response:
        encoding = {"Content-Encoding": "gzip"} if body[:2] == b"\x1f\x8b" else {}
        status = 200 if transport is SmallWebRTCTransport else 201
        return web.Response(status=status, body=body, headers={"Location": "/session", **encoding})

    async with Server(answer) as server:
        connection = transport(ClientOptions(conversation_url=f"{server.url}/whip/c", token=SECRET))
        with pytest.raises(ConnectionFailed):
            await connection.connect(LocalTracks(), Listener())
    assert "never retrieved" not in caplog.text


SESSIONS = [
    "{}",
    '{"sessionId": null}',
    '{"sessionId": 7}',
    '{"sessionId": ""}',
    '{"sessionId": "s", "iceConfig": [1]}',
    '{"sessionId": "s", "iceConfig": {"iceServers": 5}}',
    '{"sessionId": "s", "iceConfig": {"iceServers": [null]}}',
    '{"sessionId": "s", "iceConfig": {"iceServers": [{"urls": null}]}}',
    '{"sessionId": "s", "iceConfig": {"iceServers": [{"urls": "turn:t", "credential": 5}]}}',
    '{"sessionId": "s", "iceConfig": null}',
    '{"sessionId": "../../admin?x#y"}',
]


@pytest.mark.parametrize("session", SESSIONS, ids=range(len(SESSIONS)))
async def test_any_session_that_a_start_names_ends_in_an_error_of_ours(session: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=session) if request.path.endswith("/start") else web.Response(status=503)

    async with Server(answer) as server:
        transport = SmallWebRTCTransport(ClientOptions(conversation_url=f"{server.url}/bot/start?a=1", token=SECRET))
        with pytest.raises(SpikeError):
            await transport.connect(LocalTracks(), Listener())

        assert server.asked[0][1] == "/bot/start?a=1"
        for _, path, *_ in server.asked[1:]:
            assert path.startswith("/bot/sessions/")
            assert path.endswith("/api/offer?a=1")
            assert "admin?x" not in path
            assert ".." not in path.split("/")


@pytest.mark.parametrize(
    ("given", "asked"),
    [("/c?room=1", "/c/api/offer?room=1"), ("/c#top", "/c/api/offer"), ("/c ", "/c/api/offer"), ("", "/api/offer")],
)
async def test_the_address_of_a_conversation_is_extended(given: str, asked: str) -> None:
    async with Server(answer_fine) as server:
        transport = SmallWebRTCTransport(ClientOptions(conversation_url=server.url + given, token=SECRET))
        with pytest.raises(ConnectionFailed):
            await transport.connect(LocalTracks(), Listener())

        assert server.asked[0][1] == asked


@pytest.mark.parametrize("location", ["ftp://elsewhere", "http://[broken", "http://me:pass@elsewhere/"])
async def test_a_whip_session_without_an_address_is_a_failed_connection(location: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=201, headers={"Location": location})

    async with Server(answer) as server:
        transport = WhipTransport(ClientOptions(conversation_url=f"{server.url}/whip", token=SECRET))
        with pytest.raises(ConnectionFailed, match="no resource"):
            await transport.connect(LocalTracks(), Listener())


async def test_the_resource_of_a_whip_session_elsewhere_does_not_get_the_token() -> None:
    async with Server(answer_fine) as other:

        async def answer(_: web.Request) -> web.Response:
            return web.Response(status=201, headers={"Location": f"{other.url}/session"})

        async with Server(answer) as server:
            transport = WhipTransport(ClientOptions(conversation_url=f"{server.url}/whip", token=SECRET))
            with pytest.raises(ConnectionFailed):
                await transport.connect(LocalTracks(), Listener())

        assert [asked[0] for asked in other.asked] == ["DELETE"]
        assert SECRET not in str(other.asked)


async def test_what_a_refusing_server_says_cannot_steer_a_terminal() -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=401, text="\x1b[2Jno\x07\r\n")

    async with Server(refuse) as server:
        with pytest.raises(TokenExpired) as failure:
            await http_to(server).request("GET", server.url)

    assert failure.value.message.isprintable()


async def test_a_server_that_speaks_no_http_is_a_failed_connection() -> None:
    async def chatter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"220 smtp.example ESMTP\r\n" + json.dumps({"a": 1}).encode())
        writer.close()

    server = await asyncio.start_server(chatter, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(ConnectionFailed, match="could not be reached"):
            await Http(SECRET, url).request("POST", url, data="v=0")


@pytest.mark.parametrize(
    "servers", ['"x"', "[1, null]", '[{"urls": "http://x"}]', '[{"urls": "turn:t", "credential": 5}]', "{}"]
)
async def test_an_ice_server_that_is_none_is_left_out(servers: str) -> None:
    session = f'{{"sessionId": "s", "iceConfig": {{"iceServers": {servers}}}}}'

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=session) if request.path.endswith("/start") else web.Response(status=503)

    async with Server(answer) as server:
        transport = SmallWebRTCTransport(ClientOptions(conversation_url=f"{server.url}/start", token=SECRET))
        with pytest.raises(ConnectionFailed, match="503"):
            await transport.connect(LocalTracks(), Listener())

        assert [path for _, path, *_ in server.asked] == ["/start", "/sessions/s/api/offer"]


async def test_of_many_ice_servers_the_first_are_asked() -> None:
    loop = asyncio.get_running_loop()
    asked: list[int] = []

    class Stun(asyncio.DatagramProtocol):
        def datagram_received(self, _: bytes, address: Any) -> None:
            asked.append(address[1])

    stun, _ = await loop.create_datagram_endpoint(Stun, local_addr=("127.0.0.1", 0))
    try:
        url = f"stun:127.0.0.1:{stun.get_extra_info('sockname')[1]}"
        assert await answering([IceServer((url,) * 500)]) == []
    finally:
        stun.close()

    assert 0 < len(set(asked)) <= MOST_ADDRESSES


@pytest.mark.parametrize(
    ("host", "words"),
    [("127.0.0.1:9", "could not be reached: connection refused"), ("bot.invalid", "not known|resolution")],
)
async def test_why_nobody_is_reached_is_said_in_the_systems_words(host: str, words: str) -> None:
    with pytest.raises(ConnectionFailed, match=words):
        await Http().request("GET", f"http://{host}/")
