"""What is sent, fitted to what the network gives: the rules with plain numbers, then a client on a bad network."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from aiortc.codecs.opus import OpusDecoder
from aiortc.jitterbuffer import JitterFrame
from endpoints import ArrayMicrophone, RecordingLoudspeaker
from udp_relay import BadNetwork

from spike_engine import ClientStats, SpikeClient, frames
from spike_engine.adaptation import FIRST_PATIENCE_S, LADDER, Adaptation, Report, Rung
from spike_engine.monitor import quality_of
from spike_engine.options import VideoQuality
from spike_engine.server import ConversationServer, HummingPersona
from spike_engine.transports.encoders import PictureEncoder, VoiceEncoder

# --- the rules --------------------------------------------------------------------------------------------------------


class Network:
    """Feeds an adaptation one report a second."""

    def __init__(self, quality: str = "high", *, video: bool = True) -> None:
        self.adaptation = Adaptation(VideoQuality(quality), video=video)
        self.now_s = 0.0

    def seconds(self, count: int, **report: Any) -> list[Rung]:
        rungs = []
        for _ in range(count):
            self.now_s += 1
            rungs.append(self.adaptation.update(Report(self.now_s, **report)))
        return rungs


@pytest.mark.parametrize(("quality", "width", "fps"), [("low", 320, 15), ("medium", 640, 24), ("high", 1280, 30)])
def test_a_good_network_gets_what_the_option_says(quality: str, width: int, fps: int) -> None:
    rungs = Network(quality).seconds(30, round_trip_time_ms=20.0, sent_bps=1e6)

    assert {(rung.width, rung.fps) for rung in rungs} == {(width, fps)}


def test_a_narrow_network_is_met_in_a_few_seconds() -> None:
    network = Network()
    last = network.seconds(3, loss=0.75, sent_bps=1_300_000)[-1]

    assert last.total_bps <= 300_000


def test_a_queue_that_fills_is_noticed_before_anything_is_lost() -> None:
    network = Network()
    network.seconds(5, round_trip_time_ms=40.0)
    first, second = network.seconds(2, round_trip_time_ms=300.0)

    assert first == network.adaptation._rungs[0]  # one long round trip may be chance
    assert second.video_bps < first.video_bps


def test_a_long_way_is_no_queue() -> None:
    rungs = Network().seconds(20, round_trip_time_ms=400.0)

    assert len(set(rungs)) == 1


def test_a_receiver_that_allows_little_is_obeyed_where_it_is_the_limit() -> None:
    assert Network().seconds(5, estimate_bps=200_000, sent_bps=220_000)[-1].video_bps <= 200_000
    assert len(set(Network().seconds(5, estimate_bps=200_000, sent_bps=30_000))) == 1  # a picture that stands still


def test_the_voice_gives_way_last() -> None:
    network = Network("low")
    rungs = network.seconds(20, loss=0.5)
    voice = [rung.audio_bps for rung in rungs]

    assert voice == sorted(voice, reverse=True)
    assert all(rung.audio_bps == 40_000 for rung in rungs if rung.video_bps > 120_000)
    assert rungs[-1] == LADDER[-1]


def test_without_a_picture_the_voice_adapts_alone() -> None:
    network = Network(video=False)

    assert network.adaptation.rung.audio_bps == 40_000
    assert network.seconds(10, loss=0.4)[-1].audio_bps == 16_000


def test_it_comes_back_with_patience_and_more_of_it_after_a_failure() -> None:
    network = Network()
    low = network.seconds(1, loss=0.5)[-1]
    calm = network.seconds(30)
    first_rise = next(second for second, rung in enumerate(calm) if rung != low)
    assert first_rise >= FIRST_PATIENCE_S
    assert calm[-1] == Network().adaptation.rung

    rises = []
    for _ in range(3):  # each rise fails at once
        network.seconds(1, loss=0.5)
        low = network.adaptation.rung
        waited = 0
        while network.seconds(1)[-1] == low:
            waited += 1
            assert waited < 100
        rises.append(waited)
    assert rises == sorted(rises)
    assert rises[-1] > rises[0]


def test_a_little_loss_neither_lowers_nor_raises() -> None:
    network = Network()
    network.seconds(2, loss=0.5)
    rungs = network.seconds(60, loss=0.06)

    assert len(set(rungs[5:])) == 1


@pytest.mark.parametrize(
    ("loss", "round_trip_time_ms", "level"),
    [(0, None, "good"), (0, 50, "good"), (0, 200, "fair"), (0.03, 50, "fair"), (0.1, 50, "poor"), (0, 600, "poor")],
)
def test_network_quality(loss: float, round_trip_time_ms: float | None, level: str) -> None:
    assert quality_of(loss, round_trip_time_ms) == level


# --- the encoders -----------------------------------------------------------------------------------------------------


def speech(block: int) -> av.AudioFrame:
    time_s = (block * 960 + np.arange(960)) / 48000
    voice = 0.2 * sum(np.sin(2 * np.pi * f * time_s) / n for n, f in enumerate((150, 310, 480, 900, 1700), start=1))
    frame = frames.audio_from_ndarray(voice.astype(np.float32), format="s16", sample_rate_hz=48000)
    frame.pts, frame.time_base = block * 960, Fraction(1, 48000)
    return frame


def test_the_voice_changes_its_rate_without_a_break() -> None:
    encoder, decoder = VoiceEncoder(48_000), OpusDecoder()
    sizes, stamps, heard = [], [], []
    for block in range(100):
        if block == 50:
            encoder.configure(16_000, loss=0.2)
        payloads, stamp = encoder.encode(speech(block))
        for payload in payloads:
            sizes.append(len(payload))
            stamps.append(stamp)
            heard += [
                frames.audio_to_ndarray(frame, channels=1) for frame in decoder.decode(JitterFrame(payload, stamp))
            ]

    assert np.mean(sizes[60:]) < 0.6 * np.mean(sizes[10:45])
    assert all(later - earlier in (960, 1920) for earlier, later in itertools.pairwise(stamps))
    assert min(float(np.abs(block).max()) for block in heard[2:]) > 0.05


def test_the_picture_keeps_its_limit_and_the_receivers() -> None:
    encoder = PictureEncoder(600_000)
    assert encoder.target_bitrate == 600_000
    encoder.target_bitrate = 1_200_000
    assert (encoder.target_bitrate, encoder.estimate_bps) == (600_000, 1_200_000)
    encoder.target_bitrate = 100_000
    encoder.limit(200_000)
    assert encoder.target_bitrate == 100_000
    encoder.target_bitrate = 1_200_000
    assert encoder.target_bitrate == 200_000
    encoder.limit(1)
    assert encoder.target_bitrate == 30_000


# --- a bad network ----------------------------------------------------------------------------------------------------

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
    defaults = {"video": False, "audio_source": ArrayMicrophone(), "audio_output": RecordingLoudspeaker()}
    return SpikeClient(conversation_url=network.url, token=network.token, join_timeout_s=20.0, **(defaults | options))


async def until_stats(client: SpikeClient, condition: Callable[[ClientStats], bool]) -> ClientStats:
    async with asyncio.timeout(40):
        while not condition(stats := await client.wait_for("stats")):
            pass
    return stats


@pytest.mark.usefixtures("nothing_left_open")
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


@pytest.mark.usefixtures("nothing_left_open")
async def test_a_throttled_way_makes_the_picture_smaller_and_keeps_the_voice(network: BadNetwork) -> None:
    client = client_on(network, video=True, video_source=NoiseCamera(), video_quality="medium")
    async with client:
        full = await until_stats(client, lambda stats: stats.sent_fps > 0)
        assert (full.video_width, full.video_height) == (640, 360)
        network.rate_bps = 300_000
        small = await until_stats(client, lambda stats: stats.video_bps <= 250_000)
        assert small.video_width < 640
        assert small.audio_bps >= 32_000


@pytest.mark.usefixtures("nothing_left_open")
@pytest.mark.parametrize("accident", ["a cut", "another address"])
async def test_an_accident_on_the_way_is_mended(network: BadNetwork, heard: Record, accident: str) -> None:
    client = client_on(network)
    events = heard(client)
    async with client:
        broken = asyncio.ensure_future(client.wait_for("disconnected", timeout=40))
        await asyncio.sleep(0)
        if accident == "a cut":
            network.cut = True
        else:
            network.lose_address()
        assert (await broken).will_reconnect
        network.cut = False
        async with asyncio.timeout(60):
            async for state in client.observe():
                if state.is_connected:
                    break
        assert network.offers >= 2

    assert [event.reason for name, event in events if name == "disconnected"] == ["network", "left"]
