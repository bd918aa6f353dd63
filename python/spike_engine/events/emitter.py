"""Delivers events to handlers, waiters and iterators on one event loop."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, cast, overload

from spike_engine.errors import InvalidOption, SpikeError
from spike_engine.events.payloads import ClientStats
from spike_engine.events.stream import EventStream
from spike_engine.events.types import (
    EVENT_TYPES,
    AIIdle,
    AISpeaking,
    AIThinking,
    AnyHandler,
    Connected,
    DevicesChanged,
    Disconnected,
    Event,
    EventName,
    FunctionCall,
    Message,
    NetworkQuality,
    Perception,
    Reconnecting,
    UserStartedSpeaking,
    UserStoppedSpeaking,
    UserTranscript,
    name_of,
)

logger = logging.getLogger(__name__)


E = TypeVar("E")
Handler = Callable[[E], object] | Callable[[], object]
F = TypeVar("F", bound=AnyHandler)


class Registrar(Protocol[E]):
    """What ``on(name)`` returns: a decorator that registers a handler for that event."""

    def __call__(self, handler: Handler[E], /) -> Handler[E]:
        """Register `handler` and return it unchanged."""


@dataclass(frozen=True, slots=True)
class _Registration:
    handler: AnyHandler
    takes_event: bool
    once: bool

    def call(self, event: Event) -> object:
        return self.handler(event) if self.takes_event else self.handler()


class EventEmitter:
    """Subscribe with `on`, `once`, `wait_for` or `events`; everything runs on the loop that emits.

    A handler is a plain or an ``async`` function that takes the event, or nothing. One that raises is logged by its
    name and stops no other.
    """

    def __init__(self) -> None:
        self._registrations: dict[EventName, list[_Registration]] = {}
        self._streams: list[EventStream] = []
        self._handler_tasks: set[asyncio.Task[object]] = set()

    # fmt: off
    @overload
    def on(self, name: Literal["connected"], handler: Handler[Connected] | None = None) -> Registrar[Connected]: ...
    @overload
    def on(self, name: Literal["disconnected"], handler: Handler[Disconnected] | None = None) -> Registrar[Disconnected]: ...  # noqa: E501
    @overload
    def on(self, name: Literal["ai-thinking"], handler: Handler[AIThinking] | None = None) -> Registrar[AIThinking]: ...
    @overload
    def on(self, name: Literal["ai-speaking"], handler: Handler[AISpeaking] | None = None) -> Registrar[AISpeaking]: ...
    @overload
    def on(self, name: Literal["ai-idle"], handler: Handler[AIIdle] | None = None) -> Registrar[AIIdle]: ...
    @overload
    def on(self, name: Literal["user-started-speaking"], handler: Handler[UserStartedSpeaking] | None = None) -> Registrar[UserStartedSpeaking]: ...  # noqa: E501
    @overload
    def on(self, name: Literal["user-stopped-speaking"], handler: Handler[UserStoppedSpeaking] | None = None) -> Registrar[UserStoppedSpeaking]: ...  # noqa: E501
    @overload
    def on(self, name: Literal["user-transcript"], handler: Handler[UserTranscript] | None = None) -> Registrar[UserTranscript]: ...  # noqa: E501
    @overload
    def on(self, name: Literal["perception"], handler: Handler[Perception] | None = None) -> Registrar[Perception]: ...
    @overload
    def on(self, name: Literal["message"], handler: Handler[Message] | None = None) -> Registrar[Message]: ...
    @overload
    def on(self, name: Literal["reconnecting"], handler: Handler[Reconnecting] | None = None) -> Registrar[Reconnecting]: ...  # noqa: E501
    @overload
    def on(self, name: Literal["function-call"], handler: Handler[FunctionCall] | None = None) -> Registrar[FunctionCall]: ...  # noqa: E501
    @overload
    def on(self, name: Literal["stats"], handler: Handler[ClientStats] | None = None) -> Registrar[ClientStats]: ...
    @overload
    def on(self, name: Literal["network-quality"], handler: Handler[NetworkQuality] | None = None) -> Registrar[NetworkQuality]: ...  # noqa: E501
    @overload
    def on(self, name: Literal["devices-changed"], handler: Handler[DevicesChanged] | None = None) -> Registrar[DevicesChanged]: ...  # noqa: E501
    @overload
    def on(self, name: Literal["error"], handler: Handler[SpikeError] | None = None) -> Registrar[SpikeError]: ...
    # fmt: on

    def on(self, name: EventName, handler: AnyHandler | None = None) -> Any:
        """Call `handler` at every `name` event; without `handler`, return a decorator that does.

        Raises:
            InvalidOption: `name` is no event, or `handler` can be called neither with one argument nor with none.
        """
        return self._subscribe(name, handler, once=False)

    # fmt: off
    @overload
    def once(self, name: Literal["connected"], handler: Handler[Connected] | None = None) -> Registrar[Connected]: ...
    @overload
    def once(self, name: Literal["disconnected"], handler: Handler[Disconnected] | None = None) -> Registrar[Disconnected]: ...  # noqa: E501
    @overload
    def once(self, name: Literal["ai-thinking"], handler: Handler[AIThinking] | None = None) -> Registrar[AIThinking]: ...  # noqa: E501
    @overload
    def once(self, name: Literal["ai-speaking"], handler: Handler[AISpeaking] | None = None) -> Registrar[AISpeaking]: ...  # noqa: E501
    @overload
    def once(self, name: Literal["ai-idle"], handler: Handler[AIIdle] | None = None) -> Registrar[AIIdle]: ...
    @overload
    def once(self, name: Literal["user-started-speaking"], handler: Handler[UserStartedSpeaking] | None = None) -> Registrar[UserStartedSpeaking]: ...  # noqa: E501
    @overload
    def once(self, name: Literal["user-stopped-speaking"], handler: Handler[UserStoppedSpeaking] | None = None) -> Registrar[UserStoppedSpeaking]: ...  # noqa: E501
    @overload
    def once(self, name: Literal["user-transcript"], handler: Handler[UserTranscript] | None = None) -> Registrar[UserTranscript]: ...  # noqa: E501
    @overload
    def once(self, name: Literal["perception"], handler: Handler[Perception] | None = None) -> Registrar[Perception]: ...  # noqa: E501
    @overload
    def once(self, name: Literal["message"], handler: Handler[Message] | None = None) -> Registrar[Message]: ...
    @overload
    def once(self, name: Literal["reconnecting"], handler: Handler[Reconnecting] | None = None) -> Registrar[Reconnecting]: ...  # noqa: E501
    @overload
    def once(self, name: Literal["function-call"], handler: Handler[FunctionCall] | None = None) -> Registrar[FunctionCall]: ...  # noqa: E501
    @overload
    def once(self, name: Literal["stats"], handler: Handler[ClientStats] | None = None) -> Registrar[ClientStats]: ...
    @overload
    def once(self, name: Literal["network-quality"], handler: Handler[NetworkQuality] | None = None) -> Registrar[NetworkQuality]: ...  # noqa: E501
    @overload
    def once(self, name: Literal["devices-changed"], handler: Handler[DevicesChanged] | None = None) -> Registrar[DevicesChanged]: ...  # noqa: E501
    @overload
    def once(self, name: Literal["error"], handler: Handler[SpikeError] | None = None) -> Registrar[SpikeError]: ...
    # fmt: on

    def once(self, name: EventName, handler: AnyHandler | None = None) -> Any:
        """Like `on`, for the next `name` event only."""
        return self._subscribe(name, handler, once=True)

    def off(self, name: EventName, handler: AnyHandler | None = None) -> None:
        """Give up `handler`, or every handler of `name`; one that is not registered is no error."""
        _check_name(name)
        kept = [r for r in self._registrations.get(name, []) if handler is not None and r.handler != handler]
        self._registrations[name] = kept

    # fmt: off
    @overload
    async def wait_for(self, name: Literal["connected"], *, timeout: float | None = None) -> Connected: ...
    @overload
    async def wait_for(self, name: Literal["disconnected"], *, timeout: float | None = None) -> Disconnected: ...
    @overload
    async def wait_for(self, name: Literal["ai-thinking"], *, timeout: float | None = None) -> AIThinking: ...
    @overload
    async def wait_for(self, name: Literal["ai-speaking"], *, timeout: float | None = None) -> AISpeaking: ...
    @overload
    async def wait_for(self, name: Literal["ai-idle"], *, timeout: float | None = None) -> AIIdle: ...
    @overload
    async def wait_for(self, name: Literal["user-started-speaking"], *, timeout: float | None = None) -> UserStartedSpeaking: ...  # noqa: E501
    @overload
    async def wait_for(self, name: Literal["user-stopped-speaking"], *, timeout: float | None = None) -> UserStoppedSpeaking: ...  # noqa: E501
    @overload
    async def wait_for(self, name: Literal["user-transcript"], *, timeout: float | None = None) -> UserTranscript: ...
    @overload
    async def wait_for(self, name: Literal["perception"], *, timeout: float | None = None) -> Perception: ...
    @overload
    async def wait_for(self, name: Literal["message"], *, timeout: float | None = None) -> Message: ...
    @overload
    async def wait_for(self, name: Literal["reconnecting"], *, timeout: float | None = None) -> Reconnecting: ...
    @overload
    async def wait_for(self, name: Literal["function-call"], *, timeout: float | None = None) -> FunctionCall: ...
    @overload
    async def wait_for(self, name: Literal["stats"], *, timeout: float | None = None) -> ClientStats: ...
    @overload
    async def wait_for(self, name: Literal["network-quality"], *, timeout: float | None = None) -> NetworkQuality: ...
    @overload
    async def wait_for(self, name: Literal["devices-changed"], *, timeout: float | None = None) -> DevicesChanged: ...
    @overload
    async def wait_for(self, name: Literal["error"], *, timeout: float | None = None) -> SpikeError: ...
    # fmt: on

    async def wait_for(self, name: EventName, *, timeout: float | None = None) -> Any:
        """The next `name` event, within `timeout` seconds.

        Raises:
            TimeoutError: It did not come in time.
        """
        stream = self.events(name)
        try:
            async with asyncio.timeout(timeout):
                return await anext(stream)
        finally:
            await stream.aclose()

    def events(self, *names: EventName) -> EventStream:
        """Iterate over the events of `names`, all of them where none is named."""
        for name in names:
            _check_name(name)
            self._subscribed(name)
        stream = EventStream(frozenset(names or EVENT_TYPES), self._drop_stream)
        self._streams.append(stream)
        return stream

    def emit(self, event: Event) -> None:
        """Deliver `event` now, in the order of subscription; ``async`` handlers start as tasks."""
        name = name_of(event)
        for stream in tuple(self._streams):
            if name in stream.names:
                stream.put(event)
        for registration in tuple(self._registrations.get(name, ())):
            if registration.once:
                self._registrations[name].remove(registration)
            self._call(registration, name, event)

    def _subscribe(self, name: EventName, handler: AnyHandler | None, *, once: bool) -> Any:
        _check_name(name)
        self._subscribed(name)

        def register(function: F) -> F:
            takes_event = _takes_event(function)
            self._registrations.setdefault(name, []).append(_Registration(function, takes_event, once))
            return function

        return register if handler is None else register(handler)

    def _call(self, registration: _Registration, name: EventName, event: Event) -> None:
        label = getattr(registration.handler, "__qualname__", repr(registration.handler))
        try:
            result = registration.call(event)
        except Exception:
            logger.exception("handler %s of %r raised", label, name)
            return
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(_guard(result, label, name))
            self._handler_tasks.add(task)
            task.add_done_callback(self._handler_tasks.discard)

    def _subscribed(self, name: EventName) -> None:
        """Somebody wants to hear `name`; for events that cost something to find out."""

    def _drop_stream(self, stream: EventStream) -> None:
        if stream in self._streams:
            self._streams.remove(stream)


async def _guard(result: Awaitable[object], label: str, name: EventName) -> object:
    try:
        return await result
    except Exception:
        logger.exception("handler %s of %r raised", label, name)
        return None


def _check_name(name: str) -> None:
    if name not in EVENT_TYPES:
        raise InvalidOption(f"there is no event {name!r}; the events are {', '.join(EVENT_TYPES)}")


def _takes_event(handler: object) -> bool:
    """Whether `handler` wants the event: settled at registration, so a wrong signature fails where it is written."""
    if not callable(handler):
        raise InvalidOption(f"a handler must be callable, not {type(handler).__name__}")
    try:
        signature = inspect.signature(cast("AnyHandler", handler))
    except (TypeError, ValueError):  # some builtins have none
        return True
    for arguments in ((object(),), ()):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        return bool(arguments)
    raise InvalidOption(f"a handler takes the event or nothing, {handler!r} takes {signature}")
