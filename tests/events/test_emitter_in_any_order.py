"""Subscribing, unsubscribing, emitting, iterating in any order, nested too, beside models of a few lines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from spike_engine.events import AIIdle, AISpeaking, AIThinking, Connected, Disconnected, DisconnectReason, Event
from spike_engine.events.emitter import EventEmitter
from spike_engine.events.stream import ITERATOR_QUEUE_EVENTS

EVENTS: dict[Any, Event] = {"ai-idle": AIIdle(), "ai-thinking": AIThinking()}
HANDLERS = range(4)

names = st.sampled_from(sorted(EVENTS))
subscriptions = st.tuples(st.sampled_from(["on", "once"]), names, st.sampled_from(HANDLERS))
removals = st.tuples(st.just("off"), names, st.sampled_from([None, *HANDLERS]))
emissions = st.tuples(st.just("emit"), names, st.none())
actions = st.one_of(subscriptions, removals, emissions)


class Model:
    """What an emitter promises: each handler in order, unless it was taken off before its turn."""

    def __init__(self) -> None:
        self.handlers: dict[str, list[list[Any]]] = {name: [] for name in EVENTS}

    def on(self, name: str, handler: Callable[[], None]) -> None:
        self.handlers[name].append([handler, False])

    def once(self, name: str, handler: Callable[[], None]) -> None:
        self.handlers[name].append([handler, True])

    def off(self, name: str, handler: Callable[[], None] | None) -> None:
        self.handlers[name] = [entry for entry in self.handlers[name] if handler not in (None, entry[0])]

    def emit(self, name: str) -> None:
        for entry in list(self.handlers[name]):
            if any(entry is kept for kept in self.handlers[name]):
                if entry[1]:
                    self.handlers[name] = [kept for kept in self.handlers[name] if kept is not entry]
                entry[0]()


class Real:
    """The emitter, with the model's methods."""

    def __init__(self) -> None:
        self.emitter = EventEmitter()
        self.on, self.once, self.off = self.emitter.on, self.emitter.once, self.emitter.off

    def emit(self, name: str) -> None:
        self.emitter.emit(EVENTS[name])


def calls_of(emitter: Any, steps: list[Any], scripts: list[list[Any]]) -> list[tuple[int, int]]:
    """Which handlers are called, and how deep, where each does what its script says."""
    calls: list[tuple[int, int]] = []
    depth = 0

    def act(action: tuple[str, str, int | None]) -> None:
        nonlocal depth
        method, name, handler = action
        if method == "emit":
            if depth < 3 and len(calls) < 200:
                depth += 1
                emitter.emit(name)
                depth -= 1
        else:
            getattr(emitter, method)(name, None if handler is None else handlers[handler])

    def handler_of(number: int) -> Callable[[], None]:
        def handler() -> None:
            calls.append((number, depth))
            for action in scripts[number]:
                act(action)

        return handler

    handlers = [handler_of(number) for number in HANDLERS]
    for step in steps:
        act(step)
    return calls


@settings(max_examples=300, deadline=None)
@given(
    steps=st.lists(actions, max_size=12),
    scripts=st.lists(st.lists(actions, max_size=3), min_size=len(HANDLERS), max_size=len(HANDLERS)),
)
def test_handlers_are_called_as_the_model_says(steps: list[Any], scripts: list[list[Any]]) -> None:
    steps = [*steps, ("emit", "ai-idle", None), ("emit", "ai-thinking", None)]

    assert calls_of(Real(), steps, scripts) == calls_of(Model(), steps, scripts)


stream_steps = st.lists(
    st.sampled_from(["emit", "other", "read", "give up reading", "break", "end", "close"]), max_size=30
)


@settings(max_examples=200, deadline=None)
@given(steps=st.lists(stream_steps, max_size=30), burst=st.sampled_from([1, 1, 1, ITERATOR_QUEUE_EVENTS]))
def test_a_stream_gives_what_the_model_says(steps: list[str], burst: int) -> None:
    async def run() -> None:
        emitter = EventEmitter()
        stream = emitter.events("ai-speaking")
        queued: list[Event] = []
        count, dropped, ended = 0, 0, False
        for step in steps:
            match step:
                case "emit":
                    for _ in range(burst):
                        emitter.emit(event := AISpeaking(str(count)))
                        count += 1
                        if not ended:
                            dropped += len(queued) == ITERATOR_QUEUE_EVENTS
                            queued = [*queued, event][-ITERATOR_QUEUE_EVENTS:]
                case "other":
                    emitter.emit(Connected())
                case "break":
                    emitter.emit(Disconnected(DisconnectReason.NETWORK, will_reconnect=True))
                case "end":
                    emitter.emit(Disconnected(DisconnectReason.ENDED))
                    ended = True
                case "close":
                    await stream.aclose()
                    ended = True
                case "read" if queued or ended:
                    assert await anext(stream, None) == (queued.pop(0) if queued else None)
                case "give up reading" if not queued and not ended:
                    reading = asyncio.ensure_future(anext(stream))
                    await asyncio.sleep(0)
                    reading.cancel()
                    await asyncio.wait([reading])
        await stream.aclose()
        assert [event async for event in stream] == queued
        assert stream.dropped == dropped

    asyncio.run(run())
