"""Whatever happens in the middle of a join, a switch, a reconnection or a leave: nothing stays open, one true state.

Every operation is run again and again; each time something else happens, or one of the program's own objects fails, one
step later than the time before, until the operation is over before it happens. A step is a turn of the event loop or an
await of a device or a transport; nothing here takes time, so each run is the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from spike_engine import ConnectionFailed, ConversationEnded, DisconnectReason, SpikeClient, SpikeError
from spike_engine.conversation import conversation
from spike_engine.events import Disconnected, TransportStats
from spike_engine.protocols.rtvi import RTVIProtocol, encode
from spike_engine.transports.base import LocalTracks, TransportListener

pytestmark = pytest.mark.usefixtures("nothing_left_open")


class World:
    """What a conversation needs, all of it counted; the `fails_at`-th step of a device or the transport raises."""

    def __init__(self) -> None:
        self.devices: list[Device] = []
        self.tracks: list[Any] = []
        self.listener: TransportListener | None = None
        self.steps = 0
        self.fails_at: int | None = None
        self.told: list[Any] = []
        self.client = SpikeClient(
            conversation_url="http://127.0.0.1:9/c",
            token="t",
            audio_source=self.device(),
            video_source=self.device(),
            audio_output=self.device(),
            echo_cancellation=False,
            noise_suppression=False,
            transport=lambda _: Transport(self),
        )
        self.client.on("disconnected", self.told.append)
        self.client.on("connected", self.told.append)

    def device(self) -> Device:
        self.devices.append(Device(self))
        return self.devices[-1]

    async def step(self) -> None:
        await asyncio.sleep(0)
        self.steps += 1
        if self.steps == self.fails_at:
            raise RuntimeError("as the test wished")

    def lose(self, reason: DisconnectReason) -> None:
        if self.listener:
            self.listener.on_closed(
                reason, ConnectionFailed("lost") if reason == "network" else ConversationEnded("over")
            )

    async def settled(self, after: int = 0) -> None:
        """Until the client is connected or disconnected; with `after`, until more has been told than so much."""
        async with asyncio.timeout(40):
            async for state in self.client.observe():
                if state.status in ("connected", "disconnected") and len(self.told) >= after:
                    return

    def assert_nothing_is_open(self) -> None:
        assert self.client.state.status == "disconnected"
        assert self.client._conversation is None
        assert [device for device in self.devices if device.is_open] == []
        assert self.listener is None
        assert {track.readyState for track in self.tracks} <= {"ended"}
        ends = [event for event in self.told if isinstance(event, Disconnected) and not event.will_reconnect]
        assert not self.told or self.told[-1] is ends[-1]


class Device:
    """A microphone, a camera or a loudspeaker that takes its steps to open and close and gives nothing."""

    sample_rate_hz = 48000

    def __init__(self, world: World) -> None:
        self._world = world
        self.is_open = False

    async def start(self) -> None:
        await self._world.step()
        self.is_open = True
        await self._world.step()

    async def read(self, *_: int) -> Any:
        await asyncio.Event().wait()

    def write(self, samples: np.ndarray) -> None: ...

    def played(self, samples: int) -> np.ndarray:
        return np.zeros(samples, np.float32)

    def flush(self) -> None: ...

    async def close(self) -> None:
        self.is_open = False
        await self._world.step()


class Transport:
    """Is ready when it is connected; connects and closes in steps."""

    carries_video = True

    def __init__(self, world: World) -> None:
        self._world = world

    def create_protocol(self) -> RTVIProtocol:
        return RTVIProtocol()

    async def connect(self, media: LocalTracks, listener: TransportListener) -> None:
        self._world.tracks += [media.audio, media.video]
        await self._world.step()
        self._world.listener = listener
        await self._world.step()

    def send(self, text: str) -> None:
        if "client-ready" in text and self._world.listener:
            self._world.listener.on_message(encode("bot-ready"))

    def set_track_enabled(self, kind: str, *, enabled: bool) -> None: ...

    def set_limits(self, *, audio_bps: int, video_bps: int, loss: float) -> None: ...

    async def get_stats(self) -> TransportStats:
        return TransportStats()

    async def close(self) -> None:
        self._world.listener = None
        await self._world.step()


@pytest.fixture(autouse=True)
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "_delays", lambda _: iter([0.0] * 1000))


Operation = Callable[[World], Awaitable[Any]]


async def join(world: World) -> None:
    await world.client.join()


async def leave(world: World) -> None:
    await world.client.leave()


async def reconnect(world: World) -> None:
    await world.client.reconnect()


async def recover(world: World) -> None:
    told = len(world.told)
    world.lose(DisconnectReason.NETWORK)
    await world.settled(told + 1)


async def switch(world: World) -> None:
    await world.client.set_audio_device(world.device())
    await world.client.set_video_device(world.device())
    await world.client.set_output_device(world.device())


async def lose(world: World) -> None:
    world.lose(DisconnectReason.NETWORK)


async def end(world: World) -> None:
    world.lose(DisconnectReason.ENDED)


OPERATIONS: list[Operation] = [join, leave, reconnect, recover, switch]
MEANWHILE: list[Operation] = [join, leave, reconnect, switch, lose, end]


async def begin(world: World, operation: Operation) -> asyncio.Future[Any]:
    if operation is not join:
        await world.client.join()
    world.steps = 0
    return asyncio.ensure_future(operation(world))


async def turns(task: asyncio.Future[Any], count: int) -> bool:
    """Let the loop turn `count` times; False where `task` was done before."""
    for _ in range(count):
        if task.done():
            return False
        await asyncio.sleep(0)
    return True


async def outcome(task: asyncio.Future[Any]) -> BaseException | None:
    async with asyncio.timeout(40):
        await asyncio.wait({task})
    return asyncio.CancelledError() if task.cancelled() else task.exception()


async def at_every_turn(operation: Operation, act: Callable[[World, asyncio.Future[Any]], Awaitable[None]]) -> None:
    """Begin `operation` in a new world again and again, and `act` one turn later each time."""
    count, goes_on = 0, True
    while goes_on:
        world = World()
        task = await begin(world, operation)
        goes_on = await turns(task, count)
        await act(world, task)
        await world.client.leave()
        await asyncio.sleep(0)
        world.assert_nothing_is_open()
        count += 1
    assert count > 2


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
async def test_cancelled_at_any_await(operation: Operation) -> None:
    async def cancel(_: World, task: asyncio.Future[Any]) -> None:
        task.cancel()
        assert isinstance(await outcome(task), asyncio.CancelledError | None)

    await at_every_turn(operation, cancel)


@pytest.mark.parametrize("other", MEANWHILE, ids=lambda other: other.__name__)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
async def test_met_by_another_at_any_await(operation: Operation, other: Operation) -> None:
    async def meet(world: World, task: asyncio.Future[Any]) -> None:
        meeting = asyncio.ensure_future(other(world))
        for failure in (await outcome(task), await outcome(meeting)):
            assert failure is None or isinstance(failure, SpikeError), repr(failure)
        if operation is leave or other is leave:
            await world.settled()

    await at_every_turn(operation, meet)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
async def test_the_event_loop_ends_at_any_await(operation: Operation) -> None:
    """As ``asyncio.run`` does it: every task is cancelled, and waited for."""

    async def end_the_loop(world: World, task: asyncio.Future[Any]) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for each in tasks:
            each.cancel()
        async with asyncio.timeout(40):
            await asyncio.gather(*tasks, return_exceptions=True)
        world.assert_nothing_is_open()

    await at_every_turn(operation, end_the_loop)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
async def test_a_device_or_the_transport_fails_at_any_await(
    operation: Operation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)  # each failure is logged: see test_conversation_life.py
    fails_at, failed = 1, True
    while failed:
        world = World()
        task = await begin(world, operation)
        world.fails_at = fails_at
        failure = await outcome(task)
        assert failure is None or isinstance(failure, SpikeError), repr(failure)
        await world.settled()
        failed = world.steps >= fails_at
        world.fails_at = None
        await world.client.leave()
        await asyncio.sleep(0)
        world.assert_nothing_is_open()
        fails_at += 1
    assert fails_at > 4
