"""What the end of one owner does to another: to a switch under way, to a reconnection, to the program's own end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from endpoints import ArrayMicrophone
from test_conversation_life import FrailTransport, client_over, told, until_status

from spike_engine import ConnectionFailed, InvalidState, SpikeClient
from spike_engine.conversation import conversation, monitor
from spike_engine.events import TransportStats

pytestmark = pytest.mark.usefixtures("nothing_left_open")

Record = Callable[[SpikeClient], list[tuple[str, Any]]]


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "FIRST_DELAY_S", 0.01)


@pytest.fixture
def transport() -> FrailTransport:
    return FrailTransport()


@pytest.fixture
def client(transport: FrailTransport) -> SpikeClient:
    return client_over(transport, ArrayMicrophone())


async def test_leave_during_a_reconnection_ends_it_and_reconnect_says_so(
    client: SpikeClient, transport: FrailTransport
) -> None:
    await client.join()
    transport.hang = True
    transport.attempted.clear()
    reconnecting = asyncio.create_task(client.reconnect())
    await asyncio.wait_for(transport.attempted.wait(), 5)
    await client.leave()

    with pytest.raises(InvalidState, match=r"leave\(\) was called before reconnect\(\)"):
        await reconnecting


async def test_an_unexpected_error_in_a_reconnection_is_logged_told_and_not_the_end(
    client: SpikeClient, transport: FrailTransport, heard: Record, caplog: pytest.LogCaptureFixture
) -> None:
    events = heard(client)
    async with client:
        transport.failures = [ValueError("a bug")]  # type: ignore[list-item]
        transport.break_off()
        await until_status(client, "reconnecting")
        await until_status(client, "connected")

    assert "ValueError: a bug" in caplog.text
    assert [event.attempt for name, event in events if name == "reconnecting"] == [1, 2]


async def test_an_unexpected_error_that_stays_ends_the_conversation(
    client: SpikeClient, transport: FrailTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "RECONNECT_LIMIT_S", 0.0)
    await client.join()
    transport.failures = [ValueError("a bug")] * 3  # type: ignore[list-item]
    transport.break_off()
    await until_status(client, "disconnected")

    assert isinstance(client.state.error, ConnectionFailed)
    assert "a bug" in client.state.error.message


class StubbornMicrophone(ArrayMicrophone):
    async def close(self) -> None:
        await super().close()
        raise RuntimeError("it does not close")


async def test_a_device_that_raises_while_it_is_closed_keeps_nobody_from_leaving(
    transport: FrailTransport, heard: Record, caplog: pytest.LogCaptureFixture
) -> None:
    microphone = StubbornMicrophone()
    client = client_over(transport, microphone)
    events = heard(client)
    async with client:
        pass
    assert told(events) == ["connected", ("left", False)]
    assert microphone.closed == 1
    assert "it does not close" in caplog.text
    async with client:  # and again
        assert client.state.is_connected


class SlowMicrophone(ArrayMicrophone):
    """Opens when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.opening, self.may_open = asyncio.Event(), asyncio.Event()

    async def start(self) -> None:
        self.opening.set()
        await self.may_open.wait()


async def test_a_device_that_opens_after_leave_is_closed_and_not_read(
    client: SpikeClient, transport: FrailTransport
) -> None:
    slow = SlowMicrophone()
    await client.join()
    switching = asyncio.create_task(client.set_audio_device(slow))
    await asyncio.wait_for(slow.opening.wait(), 5)
    await client.leave()
    slow.may_open.set()
    await switching

    assert slow.closed == 1
    assert client.options.audio_source is slow  # for the next join


async def test_devices_open_while_the_connection_is_made_and_the_server_is_greeted_when_they_are_open(
    transport: FrailTransport,
) -> None:
    microphone = SlowMicrophone()
    client = client_over(transport, microphone)
    joining = asyncio.create_task(client.join())
    await asyncio.wait_for(asyncio.gather(microphone.opening.wait(), transport.attempted.wait()), 5)
    await asyncio.sleep(0)
    assert transport.sent == []
    microphone.may_open.set()
    await joining

    assert "client-ready" in transport.sent[0]
    await client.leave()


class EagerTransport(FrailTransport):
    """Its server talks before it says that it is ready, as pipecat does where the machine is busy."""

    def send(self, text: str) -> None:
        if self.listener and "client-ready" in text:
            self.say("user-started-speaking")
            self.say("user-stopped-speaking")
            self.say("bot-started-speaking")
        super().send(text)


async def test_connected_is_the_first_event_of_a_server_that_talks_before_it_is_ready(heard: Record) -> None:
    client = client_over(EagerTransport(), ArrayMicrophone())
    events = heard(client)
    async with client:
        assert client.state.is_ai_speaking

    told = [name for name, _ in events]
    assert told[:4] == ["connected", "user-started-speaking", "user-stopped-speaking", "ai-thinking"]


async def test_the_stats_event_counts_reconnections(
    client: SpikeClient, transport: FrailTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "INTERVAL_S", 0.01)
    async with client:
        assert (await client.wait_for("stats", timeout=40)).reconnections == 0
        await client.reconnect()
        assert (await client.wait_for("stats", timeout=40)).reconnections == 1


async def test_figures_that_cannot_be_taken_once_are_taken_again(
    client: SpikeClient,
    transport: FrailTransport,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(monitor, "INTERVAL_S", 0.01)
    failures = [ValueError("no figures")] * 3

    async def get_stats() -> TransportStats:
        if failures:
            raise failures.pop()
        return TransportStats()

    monkeypatch.setattr(transport, "get_stats", get_stats)
    async with client:
        await client.wait_for("stats", timeout=40)

    assert caplog.text.count("ValueError: no figures") == 1


async def test_nobody_speaks_while_there_is_no_connection(client: SpikeClient, transport: FrailTransport) -> None:
    async with client:
        transport.say("bot-started-speaking")
        assert client.state.is_ai_speaking
        await client.reconnect()
        assert not client.state.is_ai_speaking


async def test_a_program_that_ends_without_leave_closes_its_devices_and_asyncio_does_not_complain() -> None:
    program = """
import asyncio
from endpoints import ArrayMicrophone
from test_conversation_life import FrailTransport, client_over
class Microphone(ArrayMicrophone):
    async def close(self): print("closed", flush=True)
async def main():
    transport = FrailTransport()
    await client_over(transport, Microphone()).join()
    print(transport.listener is not None)
    await asyncio.sleep(0.1)
asyncio.run(main())
"""
    folders = Path(__file__).parent, Path(__file__).parent.parent / "tools"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, complaints = await asyncio.wait_for(process.communicate(), 30)

    assert output.split() == [b"True", b"closed"]
    assert complaints == b""
