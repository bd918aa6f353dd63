"""What becomes of a conversation whose network breaks, with a transport that breaks when it is told to."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
from endpoints import ArrayMicrophone, ColourCamera, RecordingLoudspeaker

from spike_engine import (
    ConnectionFailed,
    ConversationEnded,
    DisconnectReason,
    InvalidState,
    SpikeClient,
    SpikeError,
    TokenExpired,
)
from spike_engine.conversation import conversation as connection
from spike_engine.devices import watch as device_watch
from spike_engine.events import TransportStats
from spike_engine.protocols.rtvi import RTVIProtocol, encode
from spike_engine.sources import opened
from spike_engine.transports.base import LocalTracks, TransportListener

pytestmark = pytest.mark.usefixtures("nothing_left_open", "short_delays")

Record = Callable[[SpikeClient], list[tuple[str, Any]]]


class FrailTransport:
    """Connects at once, or fails with the next of `failures`."""

    carries_video = True

    def __init__(self) -> None:
        self.failures: list[SpikeError] = []
        self.listener: TransportListener | None = None
        self.attempts = 0
        self.muted: list[tuple[str, bool]] = []
        self.sent: list[str] = []
        self.hang = False
        self.attempted = asyncio.Event()

    def create_protocol(self) -> RTVIProtocol:
        return RTVIProtocol()

    async def connect(self, media: LocalTracks, listener: TransportListener) -> None:
        self.attempts += 1
        self.attempted.set()
        if self.hang:
            await asyncio.Event().wait()
        if self.failures:
            raise self.failures.pop(0)
        self.listener = listener

    def send(self, text: str) -> None:
        self.sent.append(text)
        if self.listener and "client-ready" in text:
            self.say("bot-ready")

    def say(self, kind: str, data: dict[str, Any] | None = None) -> None:
        assert self.listener
        self.listener.on_message(encode(kind, data))

    def set_track_enabled(self, kind: str, *, enabled: bool) -> None:
        self.muted.append((kind, enabled))

    def set_limits(self, *, audio_bps: int, video_bps: int, loss: float) -> None:
        self.limits = audio_bps, video_bps

    async def get_stats(self) -> TransportStats:
        return TransportStats()

    async def close(self) -> None:
        self.listener = None

    def break_off(self, reason: DisconnectReason = DisconnectReason.NETWORK) -> None:
        error = ConversationEnded("over") if reason == DisconnectReason.ENDED else ConnectionFailed("silent")
        assert self.listener
        self.listener.on_closed(reason, error)


@pytest.fixture
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_DELAY_S", 0.01)


@pytest.fixture
def transport() -> FrailTransport:
    return FrailTransport()


@pytest.fixture
def microphone() -> ArrayMicrophone:
    return ArrayMicrophone()


@pytest.fixture
def client(transport: FrailTransport, microphone: ArrayMicrophone) -> SpikeClient:
    return client_over(transport, microphone)


def client_over(transport: FrailTransport, microphone: ArrayMicrophone, **options: Any) -> SpikeClient:
    return SpikeClient(
        conversation_url="http://127.0.0.1:9/c",
        token="t",
        video=False,
        audio_source=microphone,
        audio_output=RecordingLoudspeaker(),
        transport=lambda _: transport,
        **options,
    )


def told(events: list[tuple[str, Any]]) -> list[Any]:
    """Names of events; of `disconnected` the reason and whether it is the last."""
    return [(str(e.reason), e.will_reconnect) if name == "disconnected" else name for name, e in events]


async def until_status(client: SpikeClient, status: str) -> None:
    async with asyncio.timeout(40):
        async for state in client.observe():
            if state.status == status:
                return


async def test_after_an_attempt_that_nobody_answered_the_next_one_follows_at_once(
    transport: FrailTransport, microphone: ArrayMicrophone, heard: Record
) -> None:
    client = client_over(transport, microphone, join_timeout_s=0.3)
    events = heard(client)
    async with client:
        transport.hang = True
        transport.break_off()
        async with asyncio.timeout(40):
            while transport.attempts < 4:  # join, and three in vain
                transport.attempted.clear()
                await transport.attempted.wait()
        transport.hang = False
        await until_status(client, "connected")

    assert [event.delay_s for name, event in events if name == "reconnecting"][:3] == [0.0, 0.0, 0.0]


async def test_a_broken_network_is_mended_without_the_programs_help(
    client: SpikeClient, transport: FrailTransport, microphone: ArrayMicrophone, heard: Record
) -> None:
    events = heard(client)
    async with client:
        client.set_audio_enabled(False)
        transport.say("bot-started-speaking")
        transport.say("tts-raw-text", {"text": "As I was saying"})
        transport.failures = [ConnectionFailed("no way"), ConnectionFailed("still no way")]
        transport.break_off()
        await until_status(client, "reconnecting")
        assert client.state.ai_transcript == "As I was saying"
        await until_status(client, "connected")
        assert microphone.closed == 0
        assert not client.state.audio_enabled
        assert client.state.error is None
        assert (await client.get_stats()).reconnections == 1

    assert transport.muted == [("audio", False)] * 2  # the new connection is told, too
    assert told(events) == [
        "connected",
        *("ai-speaking", "ai-speaking"),
        "error",
        ("network", True),
        *("reconnecting", "reconnecting", "reconnecting"),
        "connected",
        ("left", False),
    ]
    assert [event.attempt for name, event in events if name == "reconnecting"] == [1, 2, 3]
    assert microphone.closed == 1


async def test_delays_grow(client: SpikeClient, transport: FrailTransport, heard: Record) -> None:
    events = heard(client)
    async with client:
        transport.failures = [ConnectionFailed("no")] * 4
        transport.break_off()
        await until_status(client, "reconnecting")
        await until_status(client, "connected")

    delays = [event.delay_s for name, event in events if name == "reconnecting"]
    assert delays[0] == 0
    assert delays[1:] == sorted(delays[1:])
    assert delays[-1] > 2 * delays[1]


@pytest.mark.parametrize(
    "failure",
    [TokenExpired("old"), ConversationEnded("gone"), ConnectionFailed("403", can_retry=False)],
    ids=lambda failure: failure.code,
)
async def test_a_refusal_is_final(
    client: SpikeClient, transport: FrailTransport, heard: Record, failure: SpikeError
) -> None:
    events = heard(client)
    await client.join()
    transport.failures = [failure]
    transport.break_off()
    await until_status(client, "disconnected")

    assert transport.attempts == 2
    assert told(events)[-4:] == [("network", True), "reconnecting", "error", ("error", False)]
    assert client.state.error is failure


async def test_it_gives_up_after_a_while(
    client: SpikeClient, transport: FrailTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "RECONNECT_LIMIT_S", 0.02)
    await client.join()
    transport.failures = [ConnectionFailed("no")] * 100
    transport.break_off()
    await until_status(client, "disconnected")

    assert 2 <= transport.attempts < 20


async def test_reconnection_can_be_switched_off(
    transport: FrailTransport, microphone: ArrayMicrophone, heard: Record
) -> None:
    client = client_over(transport, microphone, auto_reconnect=False)
    events = heard(client)
    await client.join()
    transport.break_off()
    await until_status(client, "disconnected")
    assert told(events) == ["connected", "error", ("network", False)]
    assert microphone.closed == 1

    await client.reconnect()
    assert client.state.is_connected
    await client.leave()
    assert transport.attempts == 2


async def test_an_end_by_the_server_is_no_broken_network(
    client: SpikeClient, transport: FrailTransport, heard: Record
) -> None:
    events = heard(client)
    await client.join()
    transport.break_off(DisconnectReason.ENDED)
    await until_status(client, "disconnected")

    assert told(events) == ["connected", "error", ("ended", False)]
    assert transport.attempts == 1


async def test_leave_ends_a_reconnection(client: SpikeClient, transport: FrailTransport, heard: Record) -> None:
    events = heard(client)
    await client.join()
    transport.hang = True
    transport.attempted.clear()
    transport.break_off()
    await asyncio.wait_for(transport.attempted.wait(), 5)
    await client.leave()

    assert told(events)[-1] == ("left", False)
    assert client.state.status == "disconnected"


async def test_reconnect_hastens_the_reconnection_that_is_under_way(
    client: SpikeClient, transport: FrailTransport, monkeypatch: pytest.MonkeyPatch, heard: Record
) -> None:
    monkeypatch.setattr(connection, "FIRST_DELAY_S", 3600.0)
    monkeypatch.setattr(connection, "RECONNECT_LIMIT_S", 7200.0)
    events = heard(client)
    waits = asyncio.Event()
    client.on("reconnecting", lambda event: waits.set() if event.attempt == 2 else None)
    async with client:
        transport.failures = [ConnectionFailed("no")]
        transport.break_off()
        await asyncio.wait_for(waits.wait(), 5)
        await asyncio.wait_for(client.reconnect(), 5)
        assert client.state.is_connected

    assert [name for name, _ in events].count("connected") == 2


async def test_reconnect_raises_why_there_is_no_way_back(client: SpikeClient, transport: FrailTransport) -> None:
    await client.join()
    transport.failures = [TokenExpired("old")]
    with pytest.raises(TokenExpired):
        await client.reconnect()

    assert client.state.status == "disconnected"


async def test_devices_are_switched_in_a_call_without_a_gap_and_without_a_new_connection(
    transport: FrailTransport,
) -> None:
    first, second = constant_microphone(0.2), constant_microphone(0.4)
    speakers = RecordingLoudspeaker(), RecordingLoudspeaker()
    client = client_over(transport, first, echo_cancellation=False)
    blocks: list[float] = []
    heard_second = asyncio.Event()

    def tap(kind: str, block: Any) -> None:
        if kind == "microphone":
            blocks.append(float(block.min()))
            if block.min() > 0.3:
                heard_second.set()

    client.add_audio_tap(tap)
    await client.set_output_device(speakers[0])
    async with client:
        await until_true(lambda: len(blocks) > 3)
        await client.set_audio_device(second)
        await client.set_output_device(speakers[1])
        await asyncio.wait_for(heard_second.wait(), 10)

    assert (first.closed, second.closed) == (1, 1)
    assert [speaker.closed for speaker in speakers] == [1, 1]
    assert transport.attempts == 1
    assert sum(level < 0.1 for level in blocks) * 20 <= 200  # milliseconds of silence


def constant_microphone(level: float) -> ArrayMicrophone:
    return ArrayMicrophone(np.full(48000 * 20, level, np.float32))


async def until_true(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(40):
        while not condition():
            await asyncio.sleep(0.01)


async def test_messages_need_a_connection(client: SpikeClient, transport: FrailTransport) -> None:
    with pytest.raises(InvalidState, match="disconnected"):
        client.send_text("hello")
    async with client:
        client.send_text("hello", respond=False)
    assert "hello" in transport.sent[-1]


async def test_devices_that_come_and_go_are_told_while_joined(
    client: SpikeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = 'import sys\nfor devices in (\'[]\', \'[{"id": "a", "name": "A"}]\'):\n'
    program += "    print('{\"audio\": ' + devices + '}', flush=True)\nsys.stdin.read()"
    monkeypatch.setattr(device_watch, "COMMAND", (sys.executable, "-c", program))
    changed = asyncio.ensure_future(client.wait_for("devices-changed", timeout=40))
    await asyncio.sleep(0)
    async with client:
        assert [device.id for device in (await changed).devices.audio] == ["a"]


async def test_reconnect_while_joining_is_refused(client: SpikeClient, transport: FrailTransport) -> None:
    transport.hang = True
    joining = asyncio.create_task(client.join())
    await asyncio.wait_for(transport.attempted.wait(), 5)
    with pytest.raises(InvalidState, match="joining"):
        await client.reconnect()
    await client.leave()
    with pytest.raises(InvalidState, match="leave"):
        await joining


class LossyMicrophone(ArrayMicrophone):
    """A microphone in the engine's own manner, which says what it has lost."""

    lost_ms = 40.0


class LossyLoudspeaker(RecordingLoudspeaker):
    lost_ms, idle_ms = 20.0, 30.0


async def test_stats_say_what_was_lost(transport: FrailTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "audio_source_of", lambda _: LossyMicrophone())
    monkeypatch.setattr(opened, "sink_of", lambda _: LossyLoudspeaker())
    options = {"audio_source": "a device", "audio_output": "a device", "transport": lambda _: transport}
    async with SpikeClient(conversation_url="http://127.0.0.1:9/c", token="t", video=False, **options) as client:
        async with asyncio.timeout(40):  # nobody takes the microphone's frames
            while not (stats := await client.get_stats()).audio_frames_dropped:
                await client.wait_for("stats")

    assert (stats.microphone_lost_ms, stats.loudspeaker_lost_ms, stats.loudspeaker_idle_ms) == (40, 20, 30)
    assert stats.video_frames_dropped == 0


def fails(*_: object) -> Any:
    raise OSError("no more")


async def breaks_off() -> AsyncIterator[np.ndarray]:
    yield np.zeros(480)
    raise OSError("no more")


@pytest.mark.parametrize(
    ("option", "method"),
    [
        ("audio_source", "start"),
        ("audio_source", "read"),
        ("audio_source", "anext"),
        ("video_source", "start"),
        ("video_source", "read"),
        ("audio_output", "start"),
        ("audio_output", "played"),
    ],
)
async def test_what_a_program_brings_may_fail_and_the_call_goes_on(
    transport: FrailTransport, option: str, method: str
) -> None:
    things = {
        "audio_source": ArrayMicrophone(),
        "video_source": ColourCamera(),
        "audio_output": RecordingLoudspeaker(),
    }
    setattr(things[option], method, fails)
    options: dict[str, Any] = things if method != "anext" else {**things, option: breaks_off()}
    heard = 0

    def tap(kind: str, _: Any) -> None:
        nonlocal heard
        heard += 1
        raise OSError("the disk is full")

    url = "http://127.0.0.1:9/c"
    client = SpikeClient(conversation_url=url, token="t", transport=lambda _: transport, **options)
    client.add_audio_tap(tap)
    client.on("error", fails)
    async with client.events("error") as errors, client:
        async with asyncio.timeout(40):
            error = await anext(errors)
            before = heard
            while heard < before + 10:
                await asyncio.sleep(0.01)  # blocks have no event to wait for
        assert client.state.is_connected

    assert (error.code, f"of {option} (" in error.message) == ("DEVICE_NOT_FOUND", True)
