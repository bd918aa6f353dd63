"""The events of a conversation: what each is called and what it carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from spike_engine.errors import SpikeError

EventName: TypeAlias = Literal[
    "connected",
    "disconnected",
    "ai-thinking",
    "ai-speaking",
    "ai-idle",
    "user-started-speaking",
    "user-stopped-speaking",
    "user-transcript",
    "perception",
    "message",
    "error",
]


class DisconnectReason(StrEnum):
    """Why a conversation is over."""

    LEFT = "left"  # this program called leave()
    ENDED = "ended"  # the server ended the conversation
    NETWORK = "network"  # the way to the server broke; reconnect() may bring it back
    ERROR = "error"  # something failed; the error event says what


@dataclass(frozen=True, slots=True)
class Connected:
    """Media and messages flow both ways and the AI is ready."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The conversation is over, once for each ``connected``."""

    reason: DisconnectReason

    def __str__(self) -> str:
        return str(self.reason)


@dataclass(frozen=True, slots=True)
class AIThinking:
    """The AI has heard the user and prepares its answer."""


@dataclass(frozen=True, slots=True)
class AISpeaking:
    """The AI speaks. Comes again as the transcript grows and the level changes.

    Attributes:
        transcript: What has been said of this answer so far.
        audio_level: Loudness of the AI's voice now, 0.0 (silence) to 1.0 (full scale), as heard here.
    """

    transcript: str = ""
    audio_level: float = 0.0


@dataclass(frozen=True, slots=True)
class AIIdle:
    """The AI has finished speaking, or was interrupted, and listens."""

    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class UserStartedSpeaking:
    """The user began to talk; a speaking AI is interrupted."""


@dataclass(frozen=True, slots=True)
class UserStoppedSpeaking:
    """The user finished; the AI will answer."""


@dataclass(frozen=True, slots=True)
class UserTranscript:
    """What the AI understood of the user.

    Attributes:
        transcript: The words of this turn.
        final: False while the words may still change.
    """

    transcript: str
    final: bool = True


@dataclass(frozen=True, slots=True)
class Perception:
    """What the AI sees of the user, where the conversation has perception enabled."""

    emotion: str | None = None
    gesture: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the application on the other side, which the engine passes on as it came."""

    data: Any


Event: TypeAlias = (
    Connected
    | Disconnected
    | AIThinking
    | AISpeaking
    | AIIdle
    | UserStartedSpeaking
    | UserStoppedSpeaking
    | UserTranscript
    | Perception
    | Message
    | SpikeError
)

EVENT_TYPES: Mapping[EventName, type[Event]] = {
    "connected": Connected,
    "disconnected": Disconnected,
    "ai-thinking": AIThinking,
    "ai-speaking": AISpeaking,
    "ai-idle": AIIdle,
    "user-started-speaking": UserStartedSpeaking,
    "user-stopped-speaking": UserStoppedSpeaking,
    "user-transcript": UserTranscript,
    "perception": Perception,
    "message": Message,
    "error": SpikeError,
}

_NAMES: Mapping[type, EventName] = {event_type: name for name, event_type in EVENT_TYPES.items()}


def name_of(event: Event) -> EventName:
    """The name under which handlers receive `event`."""
    return "error" if isinstance(event, SpikeError) else _NAMES[type(event)]


AnyHandler: TypeAlias = Callable[..., object]
