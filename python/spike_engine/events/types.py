"""The events of a conversation: what each is called and what it carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from spike_engine.errors import SpikeError
from spike_engine.events.payloads import ClientStats, Devices

EventName: TypeAlias = Literal[
    "connected",
    "disconnected",
    "reconnecting",
    "ai-thinking",
    "ai-speaking",
    "ai-idle",
    "user-started-speaking",
    "user-stopped-speaking",
    "user-transcript",
    "user-audio-level",
    "perception",
    "message",
    "function-call",
    "stats",
    "network-quality",
    "devices-changed",
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
    """Nothing flows any more, once for each ``connected``.

    Attributes:
        reason: Why.
        will_reconnect: The client is bringing the conversation back by itself; ``connected`` follows, or, where there
            is no way back, a last ``disconnected``.
    """

    reason: DisconnectReason
    will_reconnect: bool = False

    def __str__(self) -> str:
        return str(self.reason)


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The client tries to come back to the conversation.

    Attributes:
        attempt: 1 for the first since the connection broke.
        delay_s: How long it waits before it tries, in seconds; ``reconnect()`` makes it try now.
    """

    attempt: int
    delay_s: float


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
class UserAudioLevel:
    """How loud the user is, ten times a second while somebody has subscribed to it.

    Attributes:
        level: The microphone as it is sent, root mean square, 0.0 to 1.0; 0.0 while it is muted.
    """

    level: float = 0.0


@dataclass(frozen=True, slots=True)
class Perception:
    """What the AI sees of the user, where the conversation has perception enabled."""

    emotion: str | None = None
    gesture: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the application on the other side, which the engine passes on as it came.

    Attributes:
        data: What the application sent.
        type: What the application calls it; None where it gave no name.
        reply_to: The id that ``send_message()`` returned, where this is the answer to it.
    """

    data: Any
    type: str | None = None
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """The AI uses a function, as far as the server tells.

    Attributes:
        status: ``"started"``, ``"in-progress"`` or ``"stopped"``.
        name: The function.
        call_id: Names this call; ``send_function_result()`` takes it.
        arguments: What the function is called with.
        result: What it returned; with status ``"stopped"``.
        cancelled: It was stopped without a result.
    """

    status: Literal["started", "in-progress", "stopped"]
    name: str | None = None
    call_id: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    result: Any = None
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class NetworkQuality:
    """How good the way to the server is, told when it changes.

    Attributes:
        level: ``"good"``; ``"fair"``: some loss or delay, a person may notice; ``"poor"``: a person will.
        round_trip_time_ms: To the server and back; None before the first report.
        loss: Share of packets that are lost on the worse of the two ways, 0 to 1.
    """

    level: Literal["good", "fair", "poor"]
    round_trip_time_ms: float | None = None
    loss: float = 0.0


@dataclass(frozen=True, slots=True)
class DevicesChanged:
    """A microphone, loudspeaker or camera was plugged in or out, or another is the system's choice now."""

    devices: Devices


Event: TypeAlias = (
    Connected
    | Disconnected
    | Reconnecting
    | AIThinking
    | AISpeaking
    | AIIdle
    | UserStartedSpeaking
    | UserStoppedSpeaking
    | UserTranscript
    | UserAudioLevel
    | Perception
    | Message
    | FunctionCall
    | ClientStats
    | NetworkQuality
    | DevicesChanged
    | SpikeError
)

EVENT_TYPES: Mapping[EventName, type[Event]] = {
    "connected": Connected,
    "disconnected": Disconnected,
    "reconnecting": Reconnecting,
    "ai-thinking": AIThinking,
    "ai-speaking": AISpeaking,
    "ai-idle": AIIdle,
    "user-started-speaking": UserStartedSpeaking,
    "user-stopped-speaking": UserStoppedSpeaking,
    "user-transcript": UserTranscript,
    "user-audio-level": UserAudioLevel,
    "perception": Perception,
    "message": Message,
    "function-call": FunctionCall,
    "stats": ClientStats,
    "network-quality": NetworkQuality,
    "devices-changed": DevicesChanged,
    "error": SpikeError,
}

_NAMES: Mapping[type, EventName] = {event_type: name for name, event_type in EVENT_TYPES.items()}


def name_of(event: Event) -> EventName:
    """The name under which handlers receive `event`."""
    return "error" if isinstance(event, SpikeError) else _NAMES[type(event)]


AnyHandler: TypeAlias = Callable[..., object]
