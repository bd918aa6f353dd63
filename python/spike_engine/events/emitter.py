"""Delivers events to handlers, waiters and iterators on one event loop."""

from __future__ import annotations

import asyncio
import inspect
import logging
import weakref
from collections.abc import Awaitable
from typing import Any, TypeVar, cast

from spike_engine.errors import InvalidOption, InvalidState
from spike_engine.events import typed
from spike_engine.events.stream import EventStream
from spike_engine.events.types import EVENT_TYPES, AnyHandler, Event, EventName, name_of

logger = logging.getLogger(__name__)

F = TypeVar("F", bound=AnyHandler)


class _Registration:
    """A handler of one event, until it is taken off."""

    def __init__(self, handler: AnyHandler, *, once: bool) -> None:
        self.handler = handler
        self.label = getattr(handler, "__qualname__", type(handler).__qualname__)
        self.takes_event = _takes_event(handler)
        self.once = once
        self.is_off = False

    def call(self, event: Event) -> object:
        return self.handler(event) if self.takes_event else self.handler()


class EventEmitter:
    """Subscribe with `on`, `once`, `wait_for` or `events`; everything runs on the loop that emits.

    A handler is a plain or an ``async`` function that takes the event, or nothing. Whatever it raises,
    ``CancelledError`` included, is logged by its name and stops no other. Handlers may subscribe, unsubscribe and emit:
    what is taken off while an event is delivered is not called any more, what is added is called from the next on, and
    an event that a handler emits is delivered before that handler returns.
    """

    def __init__(self) -> None:
        self._registrations: dict[EventName, list[_Registration]] = {}
        self._streams: weakref.WeakSet[EventStream[Event]] = weakref.WeakSet()
        self._handler_tasks: set[asyncio.Task[object]] = set()

    @typed.subscribes
    def on(self, name: EventName, handler: AnyHandler | None = None) -> Any:
        """Call `handler` at every `name` event; without `handler`, return a decorator that does.

        Raises:
            InvalidOption: `name` is no event, or `handler` can be called neither with one argument nor with none.
        """
        return self._subscribe(name, handler, once=False)

    @typed.subscribes
    def once(self, name: EventName, handler: AnyHandler | None = None) -> Any:
        """Like `on`, for the next `name` event only."""
        return self._subscribe(name, handler, once=True)

    def off(self, name: EventName, handler: AnyHandler | None = None) -> None:
        """Give up `handler`, or every handler of `name`; one that is not registered is no error."""
        _check_name(name)
        for registration in self._registrations.get(name, ()):
            registration.is_off |= handler is None or registration.handler == handler
        self._forget_what_is_off(name)

    @typed.waits
    async def wait_for(self, name: EventName, *, timeout: float | None = None) -> Any:
        """The next `name` event, within `timeout` seconds.

        Raises:
            TimeoutError: It did not come in time.
            InvalidState: The conversation was over before it came.
        """
        async with asyncio.timeout(timeout), self.events(name) as stream:
            async for event in stream:
                return event
        raise InvalidState(f"the conversation was over before {name!r} came")

    @typed.iterates
    def events(self, *names: EventName) -> EventStream[Event]:
        """Iterate over the events of `names`; see :class:`EventStream`.

        Where none is named, over all but ``"user-audio-level"``, which comes too often to be meant.
        """
        for name in names:
            _check_name(name)
        chosen = frozenset(names or EVENT_TYPES.keys() - {"user-audio-level"})
        for name in chosen:
            self._subscribed(name)
        stream: EventStream[Event] = EventStream(chosen, self._streams.discard)
        self._streams.add(stream)
        return stream

    def emit(self, event: Event) -> None:
        """Deliver `event` now, in the order of subscription; ``async`` handlers start as tasks."""
        name = name_of(event)
        for stream in tuple(self._streams):
            stream.put(name, event)
        for registration in tuple(self._registrations.get(name, ())):
            if registration.is_off:
                continue
            if registration.once:
                registration.is_off = True
                self._forget_what_is_off(name)
            self._call(registration, name, event)

    def _subscribe(self, name: EventName, handler: AnyHandler | None, *, once: bool) -> Any:
        _check_name(name)
        self._subscribed(name)

        def register(function: F) -> F:
            self._registrations.setdefault(name, []).append(_Registration(function, once=once))
            return function

        return register if handler is None else register(handler)

    def _forget_what_is_off(self, name: EventName) -> None:
        self._registrations[name] = [kept for kept in self._registrations.get(name, ()) if not kept.is_off]

    def _call(self, registration: _Registration, name: EventName, event: Event) -> None:
        try:
            result = registration.call(event)
        except (Exception, asyncio.CancelledError):
            logger.exception("handler %s of %r raised", registration.label, name)
            return
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(_guard(result, registration.label, name))
            self._handler_tasks.add(task)
            task.add_done_callback(self._handler_tasks.discard)

    def _subscribed(self, name: EventName) -> None:
        """Somebody wants to hear `name`; for events that cost something to find out."""


async def _guard(result: Awaitable[object], label: str, name: EventName) -> object:
    try:
        return await result
    except (Exception, asyncio.CancelledError):
        task = asyncio.current_task()
        if task and task.cancelling():
            raise  # not the handler's doing: the loop ends
        logger.exception("handler %s of %r raised", label, name)
        return None


def _check_name(name: str) -> None:
    if not isinstance(name, str) or name not in EVENT_TYPES:
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
