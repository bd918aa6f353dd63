"""Conversations in several processes: shared out, drained, counted, and refused where there is no room."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from caller import Caller
from host import Host

from spike_engine.server import ConversationServer, Invitation, TooManyConversations
from spike_engine.server.workers.load import TICK_S, WINDOW_TICKS, Load, LoadMeter
from spike_engine.server.workers.worker import LocalWorker

pytestmark = pytest.mark.usefixtures("nothing_left_open")

Found = tuple[int, str, Any]

PORTS = (42000, 42063)


async def ask(method: str, url: str, *, token: str | None = None, **options: Any) -> Found:
    headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
    async with aiohttp.ClientSession() as http, http.request(method, url, headers=headers, **options) as response:
        return response.status, await response.text(), response.headers


async def until_gone(server: ConversationServer, invitation: Invitation) -> None:
    async with asyncio.timeout(20):
        while (await ask("DELETE", invitation.conversation_url, token=invitation.token))[0] != 410:
            await asyncio.sleep(0.05)


def samples_of(text: str) -> dict[str, float]:
    """The samples of a page in Prometheus' text format, by name and labels."""
    return {name: float(value) for name, value in re.findall(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", text, re.MULTILINE)}


@pytest.fixture
async def server() -> AsyncIterator[ConversationServer]:
    async with ConversationServer(persona=Host, workers=2, max_conversations=4, udp_ports=PORTS) as server:
        yield server


def keeps_to_its_ports(caller: Caller) -> bool:
    sdp = caller.pc.remoteDescription.sdp
    used = [int(port) for port in re.findall(r"a=candidate:\S+ 1 udp \d+ \S+ (\d+) typ host", sdp)]
    return bool(used) and all(PORTS[0] <= port <= PORTS[1] for port in used)


def worker_of(invitation: Invitation) -> str:
    return invitation.conversation_id.split("_")[1]


async def test_workers_share_conversations_and_each_survives_the_other(server: ConversationServer) -> None:
    first, second = server.create_conversation(), server.create_conversation()
    assert {worker_of(first), worker_of(second)} == {"0", "1"}
    async with Caller(first) as here, Caller(second) as there:
        await here.until("bot-started-speaking")
        await there.until("bot-started-speaking")
        assert keeps_to_its_ports(here)
        assert (await ask("POST", f"{first.conversation_url}/api/offer", token=second.token, json={}))[0] == 401

        worker = server._pool.workers[int(worker_of(first))]
        worker._process.kill()  # type: ignore[attr-defined]
        await until_gone(server, first)
        there.send("send-text", {"content": "still there?"})
        await there.until("bot-output", count=2)

        async with asyncio.timeout(60):  # another takes its place
            while worker.load().capacity == 0:
                await asyncio.sleep(0.05)
        again = server.create_conversation()
        assert worker_of(again) == worker_of(first)
        async with Caller(again) as caller:
            await caller.until("bot-started-speaking")
    assert (await ask("DELETE", second.conversation_url, token=second.token))[0] == 204
    assert (await ask("DELETE", second.conversation_url, token=second.token))[0] == 410


async def test_a_drain_lets_calls_end(server: ConversationServer) -> None:
    joined, waiting = server.create_conversation(), server.create_conversation()
    async with Caller(joined) as caller:
        draining = asyncio.create_task(server.drain())
        await until_gone(server, waiting)
        status, body, headers = await ask("POST", f"{server.url}/conversations")
        assert (status, headers["Retry-After"]) == (503, "1")
        assert "about to stop" in body
        assert (await ask("GET", f"{server.url}/ready"))[0] == 503
        assert (await ask("GET", f"{server.url}/health"))[0] == 200
        caller.send("send-text", {"content": "may we go on?"})
        await caller.until("bot-output", count=2)
        assert not draining.done()
    await asyncio.wait_for(draining, 20)


async def test_metrics_count_what_happens() -> None:
    async with (
        ConversationServer(persona=Host, max_conversations=4) as server,
        Caller(server.create_conversation()) as caller,
        asyncio.timeout(40),
    ):
        await caller.until("bot-started-speaking")
        caller.send("send-text", {"content": "hello"})
        await caller.until("bot-started-speaking", count=2)
        assert (await ask("GET", f"{server.url}/nothing"))[0] == 404
        samples: dict[str, float] = {}
        while not samples.get('spike_packets_received_total{worker="0"}'):
            status, text, headers = await ask("GET", f"{server.url}/metrics")
            samples = samples_of(text)
            await asyncio.sleep(0.1)

    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert samples["spike_conversations"] == samples['spike_connected{worker="0"}'] == 1
    assert samples["spike_free_places"] <= 3
    assert 0.25 <= samples["spike_places_used_ratio"] <= 1
    assert samples['spike_joins_total{worker="0"}'] == 1
    assert samples['spike_http_errors_total{code="404"}'] == 1
    assert samples['spike_packets_lost_total{worker="0"}'] == 0
    assert samples['spike_join_seconds_count{worker="0"}'] == 1
    assert samples['spike_first_word_seconds_count{worker="0"}'] == 1
    assert samples['spike_first_word_seconds_bucket{worker="0",le="+Inf"}'] == 1
    assert 0 < samples['spike_first_word_seconds_sum{worker="0"}'] < 20
    for line in text.splitlines():
        assert re.fullmatch(
            r"# (HELP spike_\w+ .+|TYPE spike_\w+ (gauge|counter|histogram))|spike_\w+(\{.+\})? \S+", line
        )


async def test_metrics_are_not_for_everybody() -> None:
    async with ConversationServer(persona=Host) as server:
        url = f"{server.url}/metrics"
        assert (await ask("GET", url, headers={"X-Forwarded-For": "203.0.113.9"}))[0] == 403
    async with ConversationServer(persona=Host, metrics_token="secret") as server:
        url = f"{server.url}/metrics"
        assert [(await ask("GET", url, token=token))[0] for token in (None, "wrong", "secret")] == [401, 401, 200]


async def test_who_finds_no_room_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ConversationServer(persona=Host, max_conversations=3) as server:
        first, second = server.create_conversation(), server.create_conversation()
        async with Caller(first):
            monkeypatch.setattr(LocalWorker, "load", lambda _: Load(lag_ms=100.0, busy=1.0, connected=1, capacity=1))
            status, body, headers = await ask("POST", f"{server.url}/conversations")
            assert (status, headers["Retry-After"]) == (503, "5")
            assert "as much to do as it can" in body
            offer = {"sdp": "v=0", "type": "offer"}
            status, _, headers = await ask(
                "POST", f"{second.conversation_url}/api/offer", token=second.token, json=offer
            )
            assert (status, headers["Retry-After"]) == (503, "5")
            async with Caller(first):  # who was there may come again
                pass


async def test_who_has_left_takes_no_place_from_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LoadMeter, "load", lambda _: Load(busy=0.8, capacity=1))
    async with ConversationServer(persona=Host) as server:
        async with Caller(server.create_conversation()):
            with pytest.raises(TooManyConversations):
                server.create_conversation()
        async with asyncio.timeout(5):
            while not server._pool.free_places:
                await asyncio.sleep(0.01)
        async with Caller(server.create_conversation()):
            pass


def test_places_follow_the_measured_load() -> None:
    connected = 0
    meter = LoadMeter(lambda: connected)
    for _ in range(WINDOW_TICKS):
        meter.note(10 * TICK_S, 0.01)
    assert (meter.load().capacity, meter.load().late) == (None, False)  # late, and by nobody's doing
    connected = 4
    assert meter.load().late
    assert meter.load().capacity == 4
    for _ in range(WINDOW_TICKS):
        meter.note(TICK_S, 0.039)
    assert meter.load().busy == pytest.approx(0.39)
    assert meter.load().capacity == 8  # four use 0.39 of a core, and 0.8 may be used
    for _ in range(WINDOW_TICKS):
        meter.note(TICK_S, 0.001)
    assert meter.load().capacity is None


async def test_media_of_one_process_keep_to_the_ports_that_are_open() -> None:
    async with (
        ConversationServer(persona=Host, udp_ports=PORTS) as server,
        Caller(server.create_conversation()) as caller,
    ):
        assert keeps_to_its_ports(caller)


async def test_clients_are_sent_to_the_public_address() -> None:
    async with ConversationServer(persona=Host, public_url="https://voice.example.org/") as server:
        _, body, _ = await ask("POST", f"{server.url}/conversations")
        assert '"conversation_url": "https://voice.example.org/conversations/conv_' in body
        assert server.create_conversation().conversation_url.startswith("https://voice.example.org/conversations/")
        assert server.invite().startswith("https://voice.example.org/#")


async def test_a_persona_that_cannot_be_pickled_is_told_at_the_start() -> None:
    class Local(Host):
        """No other process finds it."""

    server = ConversationServer(persona=Local, workers=2)
    with pytest.raises(ValueError, match="persona must be a class or function of a module"):
        await server.start()
    await server.stop()


@pytest.mark.parametrize("options", [{"workers": 0}, {"max_conversations": 0}, {"udp_ports": (5, 4)}])
def test_numbers_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"from 1 to|udp_ports"):
        ConversationServer(persona=Host, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"port": 99999},
        {"port": "7860"},
        {"workers": 10**30},
        {"max_conversations": float("inf")},
        {"idle_timeout_s": float("nan")},
        {"idle_timeout_s": None},
        {"token_lifetime_s": float("inf")},
        {"token_lifetime_s": "3600"},
        {"secret": "s" * 32},
        {"udp_ports": 40000},
        {"udp_ports": "4-5"},
        {"allowed_origins": "https://bot.example"},
        {"allowed_origins": 5},
        {"public_url": "bot.example"},
    ],
)
def test_a_setting_of_another_kind_is_refused_in_words(options: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=r"must be|are the first|out of range"):
        ConversationServer(persona=Host, **options)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to stop a server with")
async def test_a_served_call_outlives_sigterm() -> None:
    command = (sys.executable, "-m", "spike_engine.cli", "serve", "--port", "0", "--json", "--workers", "2")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    url = re.findall(r'"url": "(\S+)"', (await process.stdout.readline()).decode())[0]
    _, body, _ = await ask("POST", f"{url}/conversations")
    fields = dict(re.findall(r'"(\w+)": "([^"]+)"', body))
    invitation = Invitation(fields["conversation_id"], fields["conversation_url"], fields["token"], 0.0)
    async with Caller(invitation) as caller:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            while (await ask("GET", f"{url}/ready"))[0] != 503:
                await asyncio.sleep(0.05)
        caller.send("send-text", {"content": "hello"})
        await caller.until("bot-output", count=2)
        assert process.returncode is None
    assert await asyncio.wait_for(process.wait(), 30) == 0
    await process.communicate()
