"""What type checkers know of subscribing: which event comes under which name."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Literal, Protocol, TypeVar, cast, overload

from spike_engine.errors import SpikeError
from spike_engine.events.payloads import ClientStats
from spike_engine.events.stream import EventStream
from spike_engine.events.types import (
    AIIdle,
    AISpeaking,
    AIThinking,
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
    UserAudioLevel,
    UserStartedSpeaking,
    UserStoppedSpeaking,
    UserTranscript,
)

E = TypeVar("E")
Handler = Callable[[E], object] | Callable[[], object]


class Registrar(Protocol[E]):
    """What ``on(name)`` returns: a decorator that registers a handler for that event."""

    def __call__(self, handler: Handler[E], /) -> Handler[E]:
        """Register `handler` and return it unchanged."""


# fmt: off
class Subscribe(Protocol):
    """The type of ``on`` and ``once``."""

    @overload
    def __call__(self, name: Literal["connected"], handler: Handler[Connected] | None = None) -> Registrar[Connected]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["disconnected"], handler: Handler[Disconnected] | None = None) -> Registrar[Disconnected]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["reconnecting"], handler: Handler[Reconnecting] | None = None) -> Registrar[Reconnecting]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["ai-thinking"], handler: Handler[AIThinking] | None = None) -> Registrar[AIThinking]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["ai-speaking"], handler: Handler[AISpeaking] | None = None) -> Registrar[AISpeaking]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["ai-idle"], handler: Handler[AIIdle] | None = None) -> Registrar[AIIdle]: ...
    @overload
    def __call__(self, name: Literal["user-started-speaking"], handler: Handler[UserStartedSpeaking] | None = None) -> Registrar[UserStartedSpeaking]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["user-stopped-speaking"], handler: Handler[UserStoppedSpeaking] | None = None) -> Registrar[UserStoppedSpeaking]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["user-transcript"], handler: Handler[UserTranscript] | None = None) -> Registrar[UserTranscript]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["user-audio-level"], handler: Handler[UserAudioLevel] | None = None) -> Registrar[UserAudioLevel]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["perception"], handler: Handler[Perception] | None = None) -> Registrar[Perception]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["message"], handler: Handler[Message] | None = None) -> Registrar[Message]: ...
    @overload
    def __call__(self, name: Literal["function-call"], handler: Handler[FunctionCall] | None = None) -> Registrar[FunctionCall]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["stats"], handler: Handler[ClientStats] | None = None) -> Registrar[ClientStats]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["network-quality"], handler: Handler[NetworkQuality] | None = None) -> Registrar[NetworkQuality]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["devices-changed"], handler: Handler[DevicesChanged] | None = None) -> Registrar[DevicesChanged]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["error"], handler: Handler[SpikeError] | None = None) -> Registrar[SpikeError]: ...


class WaitFor(Protocol):
    """The type of ``wait_for``."""

    @overload
    def __call__(self, name: Literal["connected"], *, timeout: float | None = None) -> Coroutine[Any, Any, Connected]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["disconnected"], *, timeout: float | None = None) -> Coroutine[Any, Any, Disconnected]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["reconnecting"], *, timeout: float | None = None) -> Coroutine[Any, Any, Reconnecting]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["ai-thinking"], *, timeout: float | None = None) -> Coroutine[Any, Any, AIThinking]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["ai-speaking"], *, timeout: float | None = None) -> Coroutine[Any, Any, AISpeaking]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["ai-idle"], *, timeout: float | None = None) -> Coroutine[Any, Any, AIIdle]: ...
    @overload
    def __call__(self, name: Literal["user-started-speaking"], *, timeout: float | None = None) -> Coroutine[Any, Any, UserStartedSpeaking]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["user-stopped-speaking"], *, timeout: float | None = None) -> Coroutine[Any, Any, UserStoppedSpeaking]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["user-transcript"], *, timeout: float | None = None) -> Coroutine[Any, Any, UserTranscript]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["user-audio-level"], *, timeout: float | None = None) -> Coroutine[Any, Any, UserAudioLevel]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["perception"], *, timeout: float | None = None) -> Coroutine[Any, Any, Perception]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["message"], *, timeout: float | None = None) -> Coroutine[Any, Any, Message]: ...
    @overload
    def __call__(self, name: Literal["function-call"], *, timeout: float | None = None) -> Coroutine[Any, Any, FunctionCall]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["stats"], *, timeout: float | None = None) -> Coroutine[Any, Any, ClientStats]: ...
    @overload
    def __call__(self, name: Literal["network-quality"], *, timeout: float | None = None) -> Coroutine[Any, Any, NetworkQuality]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["devices-changed"], *, timeout: float | None = None) -> Coroutine[Any, Any, DevicesChanged]: ...  # noqa: E501
    @overload
    def __call__(self, name: Literal["error"], *, timeout: float | None = None) -> Coroutine[Any, Any, SpikeError]: ...


class Iterate(Protocol):
    """The type of ``events``: a stream of what one name stands for, or of all events."""

    @overload
    def __call__(self, name: Literal["connected"], /) -> EventStream[Connected]: ...
    @overload
    def __call__(self, name: Literal["disconnected"], /) -> EventStream[Disconnected]: ...
    @overload
    def __call__(self, name: Literal["reconnecting"], /) -> EventStream[Reconnecting]: ...
    @overload
    def __call__(self, name: Literal["ai-thinking"], /) -> EventStream[AIThinking]: ...
    @overload
    def __call__(self, name: Literal["ai-speaking"], /) -> EventStream[AISpeaking]: ...
    @overload
    def __call__(self, name: Literal["ai-idle"], /) -> EventStream[AIIdle]: ...
    @overload
    def __call__(self, name: Literal["user-started-speaking"], /) -> EventStream[UserStartedSpeaking]: ...
    @overload
    def __call__(self, name: Literal["user-stopped-speaking"], /) -> EventStream[UserStoppedSpeaking]: ...
    @overload
    def __call__(self, name: Literal["user-transcript"], /) -> EventStream[UserTranscript]: ...
    @overload
    def __call__(self, name: Literal["user-audio-level"], /) -> EventStream[UserAudioLevel]: ...
    @overload
    def __call__(self, name: Literal["perception"], /) -> EventStream[Perception]: ...
    @overload
    def __call__(self, name: Literal["message"], /) -> EventStream[Message]: ...
    @overload
    def __call__(self, name: Literal["function-call"], /) -> EventStream[FunctionCall]: ...
    @overload
    def __call__(self, name: Literal["stats"], /) -> EventStream[ClientStats]: ...
    @overload
    def __call__(self, name: Literal["network-quality"], /) -> EventStream[NetworkQuality]: ...
    @overload
    def __call__(self, name: Literal["devices-changed"], /) -> EventStream[DevicesChanged]: ...
    @overload
    def __call__(self, name: Literal["error"], /) -> EventStream[SpikeError]: ...
    @overload
    def __call__(self, *names: EventName) -> EventStream[Event]: ...
# fmt: on


# Decorators: the method stays what it is, and is shown to type checkers as one of the types above.


def subscribes(method: Callable[..., Any]) -> Subscribe:
    """`method` with the type of ``on``."""
    return cast("Subscribe", method)


def waits(method: Callable[..., Any]) -> WaitFor:
    """`method` with the type of ``wait_for``."""
    return cast("WaitFor", method)


def iterates(method: Callable[..., Any]) -> Iterate:
    """`method` with the type of ``events``."""
    return cast("Iterate", method)
