"""One immutable picture of a conversation, for user interfaces that redraw from state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from spike_engine.errors import SpikeError
from spike_engine.events.types import (
    AIIdle,
    AISpeaking,
    AIThinking,
    Connected,
    Disconnected,
    Event,
    Reconnecting,
    UserStartedSpeaking,
    UserStoppedSpeaking,
    UserTranscript,
)

Status: TypeAlias = Literal["disconnected", "connecting", "connected", "reconnecting"]


@dataclass(frozen=True, slots=True)
class ConversationState:
    """What ``useConversation`` of the JavaScript client returns, as a snapshot.

    Attributes:
        status: Where the connection stands; ``"reconnecting"`` after it broke and until it is back.
        is_ai_thinking: The AI prepares its answer.
        is_ai_speaking: The AI's voice is heard.
        is_user_speaking: The user talks.
        ai_transcript: What the AI has said in its current or last answer.
        user_transcript: What the AI understood of the user's current or last turn.
        audio_level: Loudness of the AI's voice, 0.0 to 1.0.
        audio_enabled: The microphone is not muted.
        video_enabled: The camera is on.
        ai_audio_track: The AI's voice, an aiortc track; None while there is none.
        ai_video_track: The AI's picture, an aiortc track; None while there is none.
        error: The last error; a successful join clears it.
    """

    status: Status = "disconnected"
    is_ai_thinking: bool = False
    is_ai_speaking: bool = False
    is_user_speaking: bool = False
    ai_transcript: str = ""
    user_transcript: str = ""
    audio_level: float = 0.0
    audio_enabled: bool = True
    video_enabled: bool = True
    ai_audio_track: Any = None
    ai_video_track: Any = None
    error: SpikeError | None = None

    @property
    def is_connected(self) -> bool:
        """Media and messages flow both ways."""
        return self.status == "connected"


def after(state: ConversationState, event: Event) -> ConversationState:
    """The state that follows `state` when `event` happens."""
    match event:
        case Connected():
            return replace(state, status="connected", error=None)
        case Reconnecting():
            return replace(_silent(state), status="reconnecting")
        case Disconnected(_, will_reconnect):
            return replace(
                _silent(state),
                status="reconnecting" if will_reconnect else "disconnected",
                ai_audio_track=state.ai_audio_track if will_reconnect else None,
                ai_video_track=state.ai_video_track if will_reconnect else None,
            )
        case AIThinking():
            return replace(state, is_ai_thinking=True)
        case AISpeaking(transcript, level):
            return replace(
                state, is_ai_thinking=False, is_ai_speaking=True, ai_transcript=transcript, audio_level=level
            )
        case AIIdle():
            return replace(state, is_ai_thinking=False, is_ai_speaking=False, audio_level=0.0)
        case UserStartedSpeaking():
            return replace(state, is_user_speaking=True)
        case UserStoppedSpeaking():
            return replace(state, is_user_speaking=False)
        case UserTranscript(transcript):
            return replace(state, user_transcript=transcript)
        case SpikeError():
            return replace(state, error=event)
    return state


def _silent(state: ConversationState) -> ConversationState:
    """Nobody is known to speak."""
    return replace(state, is_ai_thinking=False, is_ai_speaking=False, is_user_speaking=False, audio_level=0.0)
