"""A client on a bad network: long, lossy, narrow, cut, and of another address all at once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
from endpoints import ArrayMicrophone, RecordingLoudspeaker
from udp_relay import BadNetwork

from spike_engine import ClientStats, ConnectionFailed, SpikeClient
from spike_engine.server import ConversationServer, HummingPersona

pytestmark = pytest.mark.usefixtures("nothing_left_open")

Record = Callable[[SpikeClient], list[tuple[str, Any]]]


class Greeter(HummingPersona):
    greeting = "Hello and welcome."


class NoiseCamera:
    """Nothing is harder to compress."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(3)

    async def start(self) -> None: ...

    async def read(self) -> np.ndarray:
        await asyncio.sleep(0.05)
        return np.repeat(np.repeat(self._random.integers(0, 255, (45, 80, 3), np.uint8), 4, axis=0), 4, axis=1)

    async def close(self) -> None: ...


@pytest.fixture
async def network() -> AsyncIterator[BadNetwork]:
    async with ConversationServer(persona=Greeter) as server:
        invitation = server.create_conversation()
        async with BadNetwork(invitation.conversation_url) as network:
            network.token = invitation.token
            yield network


def client_on(network: BadNetwork, **options: Any) -> SpikeClient:
    defaults: dict[str, Any] = {"video": False, "audio_source": ArrayMicrophone()}
    defaults |= {"audio_output": RecordingLoudspeaker(), "join_timeout_s": 20.0}
    return SpikeClient(conversation_url=network.url, token=network.token, **(defaults | options))


async def until_stats(client: SpikeClient, condition: Callable[[ClientStats], bool]) -> ClientStats:
    async with asyncio.timeout(40):
        while not condition(stats := await client.wait_for("stats")):
            pass
    return stats


async def until_status(client: SpikeClient, status: str) -> None:
    async with asyncio.timeout(60):
        async for state in client.observe():
            if state.status == status:
                return


async def test_a_long_and_lossy_way_is_measured_and_told(network: BadNetwork) -> None:
    network.delay_s = 0.1
    network.reorder = 0.05
    client = client_on(network)
    fair = asyncio.ensure_future(client.wait_for("network-quality", timeout=40))
    async with client:
        stats = await until_stats(client, lambda stats: (stats.network.round_trip_time_ms or 0) > 190)
        assert stats.network.round_trip_time_ms < 1000
        assert (await fair).level in ("fair", "poor")
        network.loss = 0.1
        stats = await until_stats(client, lambda stats: stats.network.outbound_loss > 0.02 and stats.inbound_loss > 0)
        assert stats.network.jitter_ms is not None
        assert stats.send_bps > 1000
        assert client.state.is_connected


async def test_a_conversation_goes_on_at_200_ms_and_a_tenth_lost(network: BadNetwork) -> None:
    network.delay_s = 0.1
    network.loss = 0.1
    loudspeaker = RecordingLoudspeaker()
    client = client_on(network, audio_output=loudspeaker)
    async with client:
        greeted = await client.wait_for("ai-idle", timeout=30)
        assert not greeted.interrupted
        heard: list[str] = []
        answered = asyncio.Event()
        client.once("ai-speaking", lambda: heard.append("ai-speaking"))
        client.once("ai-idle", answered.set)  # both may come at once, when what was lost is sent again
        client.send_text("hello")
        async with asyncio.timeout(40):
            await answered.wait()
        assert heard == ["ai-speaking"]
        assert client.state.ai_transcript == "You said hello."
    loud = np.abs(loudspeaker.samples) > 0.05

    assert loud.sum() > 48000 // 4


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_third_lost_is_joined_and_stayed_in(network: BadNetwork, heard: Record, seed: int) -> None:
    network.loss = 0.3
    network.seed(seed)
    loudspeaker = RecordingLoudspeaker()
    client = client_on(network, audio_output=loudspeaker)
    events = heard(client)
    async with client:
        await until_stats(client, lambda stats: stats.network.outbound_loss > 0.1)
        client.send_text("hello")
        async with asyncio.timeout(40):
            while client.state.ai_transcript != "You said hello.":
                await client.wait_for("ai-idle", timeout=40)

    assert [event.reason for name, event in events if name == "disconnected"] == ["left"]
    assert (np.abs(loudspeaker.samples) > 0.05).sum() > 48000 // 4


async def test_joining_on_a_bad_road_takes_its_time_and_on_none_it_gives_up(network: BadNetwork) -> None:
    network.loss = 0.45
    patient = 0
    for seed in range(2):
        network.seed(seed)
        client = client_on(network, join_timeout_s=2.5)
        began_s = time.monotonic()
        with contextlib.suppress(ConnectionFailed):
            async with client:
                patient += 1
        assert time.monotonic() - began_s < 4 * 2.5 + 2.5 + 3.0
    assert patient >= 1

    network.loss = 1.0
    began_s = time.monotonic()
    with pytest.raises(ConnectionFailed, match="no conversation within"):
        await client_on(network, join_timeout_s=1.0).join()
    assert time.monotonic() - began_s < 3.0


async def test_a_way_whose_delay_jumps_about_is_waited_for(network: BadNetwork) -> None:
    network.jitter_s = 0.12
    loudspeaker = RecordingLoudspeaker()
    async with client_on(network, audio_output=loudspeaker) as client:
        await client.wait_for("ai-idle", timeout=30)
        client.send_text("one two three four five six seven eight nine ten")
        await client.wait_for("ai-speaking", timeout=30)
        loudspeaker.blocks.clear()
        await client.wait_for("ai-idle", timeout=30)

    loud = np.abs(loudspeaker.samples[: len(loudspeaker.samples) // 960 * 960].reshape(-1, 960)).max(axis=1) > 0.02
    said = loud[np.argmax(loud) : len(loud) - np.argmax(loud[::-1])]
    assert said.mean() > 0.7  # words have pauses between them, and no more


async def test_a_throttled_way_makes_the_picture_smaller_and_keeps_the_voice(network: BadNetwork) -> None:
    client = client_on(network, video=True, video_source=NoiseCamera(), video_quality="medium")
    async with client:
        full = await until_stats(client, lambda stats: stats.sent_fps > 0)
        assert (full.video_width, full.video_height) == (640, 360)
        network.rate_bps = 300_000
        small = await until_stats(client, lambda stats: stats.video_bps <= 250_000)
        assert small.video_width < 640
        assert small.audio_bps >= 32_000
        await until_stats(client, lambda stats: stats.network.outbound_loss < 0.03)  # the queue has emptied
        network.sent.clear()
        network.dropped.clear()
        await until_stats(client, lambda _: network.sent["audio"] > 100)
        assert network.dropped["audio"] <= 0.03 * network.sent["audio"]

        network.rate_bps = None
        before = client_rung(await client.get_stats())
        better = client_rung(await until_stats(client, lambda stats: stats.video_bps > before[0]))
        assert before < better < client_rung(full)  # one step, not all at once


def client_rung(stats: ClientStats) -> tuple[int, int]:
    return stats.video_bps, stats.video_width


async def test_a_cut_of_ten_seconds_is_noticed_and_mended_with_everything_kept(
    network: BadNetwork, heard: Record
) -> None:
    microphone, loudspeaker = ArrayMicrophone(), RecordingLoudspeaker()
    client = client_on(network, audio_source=microphone, audio_output=loudspeaker)
    events = heard(client)
    loop = asyncio.get_running_loop()
    async with client:
        await client.wait_for("ai-idle", timeout=40)
        client.set_audio_enabled(False)
        track, said = client.get_ai_audio_track(), client.state.ai_transcript
        broken = asyncio.ensure_future(client.wait_for("disconnected", timeout=40))
        await asyncio.sleep(0)
        network.cut, cut_at = True, loop.time()
        assert (await broken).will_reconnect
        assert 2.0 < loop.time() - cut_at < 5.0
        assert client.state.ai_transcript == said == "Hello and welcome."
        await asyncio.sleep(cut_at + 10.0 - loop.time())
        assert client.state.status == "reconnecting"
        network.cut = False
        await until_status(client, "connected")
        assert client.get_ai_audio_track() is track
        assert not client.state.audio_enabled
        assert microphone.closed == loudspeaker.closed == 0
        assert (await client.get_stats()).reconnections == 1
        loudspeaker.blocks.clear()
        client.send_text("still there")
        await client.wait_for("ai-idle", timeout=40)
        assert client.state.ai_transcript == "You said still there."

    assert np.abs(loudspeaker.samples).max() > 0.05
    assert [event.reason for name, event in events if name == "disconnected"] == ["network", "left"]
    assert [name for name, _ in events].count("connected") == 2


@pytest.mark.parametrize("accident", ["the client's", "the way's"])
async def test_a_change_of_address_is_mended(network: BadNetwork, heard: Record, accident: str) -> None:
    client = client_on(network)
    events = heard(client)
    async with client:
        broken = asyncio.ensure_future(client.wait_for("disconnected", timeout=40))
        await asyncio.sleep(0)
        if accident == "the client's":
            await network.change_address()
        else:
            network.lose_address()
        assert (await broken).will_reconnect
        await until_status(client, "connected")
        assert network.offers >= 2
        client.send_text("here I am")
        await client.wait_for("ai-idle", timeout=40)

    assert [event.reason for name, event in events if name == "disconnected"] == ["network", "left"]
