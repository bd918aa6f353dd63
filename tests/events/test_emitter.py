import asyncio
import gc
import logging
from typing import Any

import pytest

from spike_engine.errors import InvalidOption, InvalidState, TokenExpired
from spike_engine.events import (
    EVENT_TYPES,
    AIIdle,
    AISpeaking,
    AIThinking,
    Connected,
    Devices,
    Disconnected,
    DisconnectReason,
    name_of,
)
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

    async with asyncio.timeout(10):
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


@pytest.mark.parametrize("error", [asyncio.CancelledError(), StopAsyncIteration(), OSError("no")], ids=repr)
async def test_whatever_a_handler_raises_ends_nothing(
    emitter: EventEmitter, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    def raises() -> None:
        raise error

    async def raises_later() -> None:
        raise error

    emitter.on("ai-idle", raises)
    emitter.on("ai-idle", raises_later)
    emitter.on("ai-idle", lambda: calls.append(1))
    emitter.emit(AIIdle())
    async with asyncio.timeout(10):
        while emitter._handler_tasks:  # the async one ends later
            await asyncio.sleep(0)

    assert calls == [1]
    assert [record.message.split(" of ")[0].split(".")[-1] for record in caplog.records] == ["raises", "raises_later"]
    assert not emitter._handler_tasks


async def test_an_async_handler_that_is_cancelled_from_outside_is_no_error(
    emitter: EventEmitter, caplog: pytest.LogCaptureFixture
) -> None:
    async def waits() -> None:
        await asyncio.Event().wait()

    emitter.on("ai-idle", waits)
    emitter.emit(AIIdle())
    (task,) = emitter._handler_tasks
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert not caplog.records


def test_what_is_taken_off_while_an_event_is_delivered_is_not_called(emitter: EventEmitter) -> None:
    calls: list[str] = []

    def first() -> None:
        calls.append("first")
        emitter.off("ai-idle")

    emitter.on("ai-idle", first)
    emitter.once("ai-idle", lambda: calls.append("once"))
    emitter.on("ai-idle", lambda: calls.append("last"))
    emitter.emit(AIIdle())
    emitter.emit(AIIdle())

    assert calls == ["first"]


def test_a_once_handler_is_called_once_though_it_emits_again(emitter: EventEmitter) -> None:
    calls: list[str] = []

    def again(event: AIIdle) -> None:
        calls.append("again")
        if len(calls) < 5:
            emitter.emit(AIIdle())

    emitter.once("ai-idle", again)
    emitter.once("ai-idle", lambda: calls.append("behind"))
    emitter.emit(AIIdle())

    assert calls == ["again", "behind"]


def test_a_handler_that_is_added_while_an_event_is_delivered_hears_the_next(emitter: EventEmitter) -> None:
    calls: list[str] = []
    emitter.once("ai-idle", lambda: emitter.on("ai-idle", lambda: calls.append("added")) and None)
    emitter.emit(AIIdle())
    assert calls == []
    emitter.emit(AIIdle())

    assert calls == ["added"]


def test_a_builtin_without_a_signature_takes_the_event(emitter: EventEmitter) -> None:
    class Odd:
        __signature__ = "none"

        def __call__(self, event: object) -> None:
            heard.append(event)

    heard: list[object] = []
    emitter.on("ai-idle", Odd())
    emitter.emit(AIIdle())

    assert heard == [AIIdle()]


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

    assert await emitter.wait_for("ai-speaking", timeout=10) == AISpeaking("hi")


async def test_wait_for_gives_up_after_its_timeout(emitter: EventEmitter) -> None:
    with pytest.raises(TimeoutError):
        await emitter.wait_for("ai-speaking", timeout=0.01)

    assert not emitter._streams


async def test_wait_for_ends_with_the_conversation(emitter: EventEmitter) -> None:
    asyncio.get_running_loop().call_soon(emitter.emit, Disconnected(DisconnectReason.ENDED))

    with pytest.raises(InvalidState, match="over before 'ai-speaking' came"):
        await emitter.wait_for("ai-speaking", timeout=10)


async def test_events_come_in_order_and_of_the_names_asked_for(emitter: EventEmitter) -> None:
    stream = emitter.events("ai-speaking", "ai-idle")
    for event in (Connected(), AISpeaking("a"), AIThinking(), AIIdle()):
        emitter.emit(event)
    await stream.aclose()

    assert [event async for event in stream] == [AISpeaking("a"), AIIdle()]


async def test_events_without_a_name_are_all_but_the_level_which_comes_all_the_time() -> None:
    asked_for: list[str] = []

    class Client(EventEmitter):
        def _subscribed(self, name: str) -> None:  # by which a client begins to watch the devices
            asked_for.append(name)

    emitter = Client()
    stream = emitter.events()
    events = {name: example(name) for name in EVENT_TYPES if name != "disconnected"}
    for event in events.values():
        emitter.emit(event)
    await stream.aclose()

    assert set(asked_for) == EVENT_TYPES.keys() - {"user-audio-level"}
    assert [name_of(event) async for event in stream] == [name for name in events if name != "user-audio-level"]


async def test_a_slow_reader_loses_the_oldest_events_and_knows_how_many(emitter: EventEmitter) -> None:
    stream = emitter.events("ai-speaking")
    for count in range(ITERATOR_QUEUE_EVENTS + 3):
        emitter.emit(AISpeaking(str(count)))
    await stream.aclose()
    received = [event async for event in stream]

    assert stream.dropped == 3
    assert received[0] == AISpeaking("3")
    assert len(received) == ITERATOR_QUEUE_EVENTS


async def test_a_timeout_around_anext_keeps_the_subscription_and_loses_nothing(emitter: EventEmitter) -> None:
    stream = emitter.events("ai-speaking")
    for number in "012":
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.005)
        emitter.emit(AISpeaking(number))
        assert await anext(stream) == AISpeaking(number)


async def test_an_event_that_comes_while_anext_is_cancelled_is_not_lost(emitter: EventEmitter) -> None:
    stream = emitter.events("ai-speaking")
    reading = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)  # it waits
    emitter.emit(AISpeaking("a"))
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert reading.cancelled()
    assert await anext(stream) == AISpeaking("a")


async def test_a_loop_that_is_left_gives_up_its_subscription(emitter: EventEmitter) -> None:
    asyncio.get_running_loop().call_soon(emitter.emit, AIIdle())
    async for _ in emitter.events("ai-idle"):
        break
    gc.collect()
    assert not emitter._streams

    async def read() -> None:
        async for _ in emitter.events("ai-idle"):
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    del task
    gc.collect()
    assert not emitter._streams


async def test_a_stream_is_closed_by_async_with(emitter: EventEmitter) -> None:
    async with emitter.events("ai-idle") as stream:
        emitter.emit(AIIdle())
        assert await anext(stream) == AIIdle()
    emitter.emit(AIIdle())

    assert [event async for event in stream] == []


async def test_a_stream_ends_with_the_conversation(emitter: EventEmitter) -> None:
    broken, over = Disconnected(DisconnectReason.NETWORK, will_reconnect=True), Disconnected(DisconnectReason.ENDED)
    everything, idle = emitter.events(), emitter.events("ai-idle")
    waiting = asyncio.ensure_future(anext(emitter.events("ai-thinking"), "the end"))
    await asyncio.sleep(0)
    for event in (Connected(), broken, Connected(), AIIdle(), over, Connected(), AIIdle()):
        emitter.emit(event)

    assert [event async for event in everything] == [Connected(), broken, Connected(), AIIdle(), over]
    assert [event async for event in idle] == [AIIdle()]
    assert await waiting == "the end"
    with pytest.raises(StopAsyncIteration):
        await anext(idle)


async def test_two_iterators_both_get_every_event(emitter: EventEmitter) -> None:
    first, second = emitter.events("ai-idle"), emitter.events("ai-idle")
    emitter.emit(AIIdle())

    assert await anext(first) == await anext(second) == AIIdle()


def test_events_are_frozen() -> None:
    event = AISpeaking("a", 0.1)
    with pytest.raises(AttributeError):
        event.transcript = "b"  # type: ignore[misc]


def example(name: str) -> Any:
    arguments: dict[str, list[Any]] = {
        "disconnected": ["left"],
        "reconnecting": [1, 0.5],
        "user-transcript": ["hi"],
        "message": [{}],
        "function-call": ["started"],
        "network-quality": ["good"],
        "devices-changed": [Devices()],
    }
    return TokenExpired("no") if name == "error" else EVENT_TYPES[name](*arguments.get(name, []))  # type: ignore[index]


def test_every_event_name_has_a_type_and_back() -> None:
    for name in EVENT_TYPES:
        assert name_of(example(name)) == name


def test_disconnected_reads_as_its_reason() -> None:
    assert str(Disconnected(DisconnectReason.NETWORK)) == "network"
    assert Disconnected(DisconnectReason.NETWORK).reason == "network"


@pytest.mark.parametrize("name", [None, [], {}, 7, "conected"])
def test_what_is_no_event_is_refused_in_words(emitter: EventEmitter, name: Any) -> None:
    for subscribe in (emitter.on, emitter.once, emitter.events, emitter.off):
        with pytest.raises(InvalidOption, match="there is no event"):
            subscribe(name)
