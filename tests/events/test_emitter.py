import asyncio
import logging
from typing import Any

import pytest

from spike_engine.errors import InvalidOption, TokenExpired
from spike_engine.events import EVENT_TYPES, AIIdle, AISpeaking, AIThinking, Connected, Devices, Disconnected, name_of
from spike_engine.events.emitter import EventEmitter
from spike_engine.events.stream import ITERATOR_QUEUE_EVENTS


@pytest.fixture
def emitter() -> EventEmitter:
    return EventEmitter()


def test_a_handler_takes_the_event(emitter: EventEmitter) -> None:
    heard: list[AISpeaking] = []
    emitter.on("ai-speaking", heard.append)

    emitter.emit(AISpeaking("hello", 0.5))
    emitter.emit(AIIdle())

    assert heard == [AISpeaking("hello", 0.5)]


def test_a_handler_may_take_nothing(emitter: EventEmitter) -> None:
    calls: list[str] = []
    emitter.on("connected", lambda: calls.append("connected"))

    emitter.emit(Connected())

    assert calls == ["connected"]


def test_arguments_with_defaults_still_receive_the_event(emitter: EventEmitter) -> None:
    heard: list[object] = []

    def handler(event: object = None) -> None:
        heard.append(event)

    emitter.on("ai-thinking", handler)
    emitter.emit(AIThinking())

    assert heard == [AIThinking()]


async def test_an_async_handler_runs(emitter: EventEmitter) -> None:
    done = asyncio.Event()

    @emitter.on("connected")
    async def handler() -> None:
        done.set()

    emitter.emit(Connected())

    async with asyncio.timeout(1):
        await done.wait()


def test_on_as_a_decorator_returns_the_function(emitter: EventEmitter) -> None:
    def handler() -> None: ...

    assert emitter.on("connected")(handler) is handler
    assert emitter.on("connected", handler) is handler


def test_once_is_called_once(emitter: EventEmitter) -> None:
    calls: list[int] = []
    emitter.once("ai-idle", lambda: calls.append(1))

    emitter.emit(AIIdle())
    emitter.emit(AIIdle())

    assert calls == [1]


def test_off_gives_up_one_handler_or_all(emitter: EventEmitter) -> None:
    calls: list[str] = []

    def first() -> None:
        calls.append("first")

    def second() -> None:
        calls.append("second")

    emitter.on("ai-idle", first)
    emitter.on("ai-idle", second)
    emitter.off("ai-idle", first)
    emitter.emit(AIIdle())
    emitter.off("ai-idle")
    emitter.emit(AIIdle())

    assert calls == ["second"]


def test_off_of_a_bound_method(emitter: EventEmitter) -> None:
    heard: list[AIIdle] = []
    emitter.on("ai-idle", heard.append)
    emitter.off("ai-idle", heard.append)  # another bound method object, equal to the first

    emitter.emit(AIIdle())

    assert heard == []


def test_the_error_event_delivers_the_error_itself(emitter: EventEmitter) -> None:
    codes: list[str] = []
    emitter.on("error", lambda error: codes.append(error.code))

    emitter.emit(TokenExpired("old"))

    assert codes == ["TOKEN_EXPIRED"]


def test_a_handler_that_raises_is_logged_by_name_and_stops_no_other(
    emitter: EventEmitter, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    def broken_handler() -> None:
        raise ValueError("oops")

    emitter.on("ai-idle", broken_handler)
    emitter.on("ai-idle", lambda: calls.append(1))
    with caplog.at_level(logging.ERROR):
        emitter.emit(AIIdle())

    assert calls == [1]
    assert "broken_handler" in caplog.text
    assert "'ai-idle'" in caplog.text


async def test_an_async_handler_that_raises_is_logged_by_name(
    emitter: EventEmitter, caplog: pytest.LogCaptureFixture
) -> None:
    raised = asyncio.Event()

    async def broken_handler() -> None:
        raised.set()
        raise ValueError("oops")

    emitter.on("ai-idle", broken_handler)
    with caplog.at_level(logging.ERROR):
        emitter.emit(AIIdle())
        await raised.wait()
        await asyncio.sleep(0)  # one turn of the loop, for the task to end

    assert "broken_handler" in caplog.text


def two_arguments(first: object, second: object) -> None: ...


@pytest.mark.parametrize("handler", [two_arguments, 7])
def test_a_handler_of_the_wrong_shape_is_refused_at_registration(emitter: EventEmitter, handler: Any) -> None:
    with pytest.raises(InvalidOption, match="handler"):
        emitter.on("ai-idle", handler)


@pytest.mark.parametrize("call", ["on", "once", "off", "events"])
def test_an_unknown_event_is_refused_with_the_known_ones(emitter: EventEmitter, call: str) -> None:
    with pytest.raises(InvalidOption, match=r"'ai-talking'.*ai-speaking"):
        getattr(emitter, call)("ai-talking")


async def test_wait_for_returns_the_event(emitter: EventEmitter) -> None:
    asyncio.get_running_loop().call_soon(emitter.emit, AISpeaking("hi"))

    assert await emitter.wait_for("ai-speaking", timeout=1) == AISpeaking("hi")


async def test_wait_for_gives_up_after_its_timeout(emitter: EventEmitter) -> None:
    with pytest.raises(TimeoutError):
        await emitter.wait_for("ai-speaking", timeout=0.01)

    assert emitter._streams == []


async def test_events_come_in_order_and_of_the_names_asked_for(emitter: EventEmitter) -> None:
    stream = emitter.events("ai-speaking", "ai-idle")
    for event in (Connected(), AISpeaking("a"), AIThinking(), AIIdle()):
        emitter.emit(event)
    await stream.aclose()

    assert [event async for event in stream] == [AISpeaking("a"), AIIdle()]


async def test_events_without_a_name_are_all_events(emitter: EventEmitter) -> None:
    stream = emitter.events()
    emitter.emit(Connected())
    emitter.emit(AIIdle())
    await stream.aclose()

    assert [name_of(event) async for event in stream] == ["connected", "ai-idle"]


async def test_a_slow_reader_loses_the_oldest_events_and_knows_how_many(emitter: EventEmitter) -> None:
    stream = emitter.events("ai-speaking")
    for count in range(ITERATOR_QUEUE_EVENTS + 3):
        emitter.emit(AISpeaking(str(count)))
    await stream.aclose()
    received = [event async for event in stream]

    assert stream.dropped == 3
    assert received[0] == AISpeaking("3")
    assert len(received) == ITERATOR_QUEUE_EVENTS


async def test_a_cancelled_iteration_gives_up_its_subscription(emitter: EventEmitter) -> None:
    async def read() -> None:
        async for _ in emitter.events("ai-idle"):
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert emitter._streams == []


async def test_two_iterators_both_get_every_event(emitter: EventEmitter) -> None:
    first, second = emitter.events("ai-idle"), emitter.events("ai-idle")
    emitter.emit(AIIdle())

    assert await anext(first) == await anext(second) == AIIdle()


def test_events_are_frozen() -> None:
    event = AISpeaking("a", 0.1)
    with pytest.raises(AttributeError):
        event.transcript = "b"  # type: ignore[misc]


def test_every_event_name_has_a_type_and_back() -> None:
    for name, event_type in EVENT_TYPES.items():
        arguments = {
            "disconnected": ["left"],
            "reconnecting": [1, 0.5],
            "user-transcript": ["hi"],
            "message": [{}],
            "function-call": ["started"],
            "network-quality": ["good"],
            "devices-changed": [Devices()],
            "error": ["no"],
        }
        event = TokenExpired("no") if name == "error" else event_type(*arguments.get(name, []))
        assert name_of(event) == name


def test_disconnected_reads_as_its_reason() -> None:
    from spike_engine.events import DisconnectReason

    assert str(Disconnected(DisconnectReason.NETWORK)) == "network"
    assert Disconnected(DisconnectReason.NETWORK).reason == "network"
