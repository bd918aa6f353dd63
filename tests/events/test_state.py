import pytest

from spike_engine.errors import ConnectionFailed
from spike_engine.events import (
    AIIdle,
    AISpeaking,
    AIThinking,
    Connected,
    Disconnected,
    DisconnectReason,
    Event,
    Perception,
    Reconnecting,
    UserStartedSpeaking,
    UserStoppedSpeaking,
    UserTranscript,
)
from spike_engine.events.state import ConversationState, after


def test_a_conversation_as_a_user_interface_sees_it() -> None:
    state = ConversationState(status="connecting", error=ConnectionFailed("before"))
    state = after(state, Connected())
    assert state.is_connected
    assert state.error is None

    state = after(after(state, UserStartedSpeaking()), UserTranscript("hello"))
    assert state.is_user_speaking
    assert state.user_transcript == "hello"

    state = after(after(state, UserStoppedSpeaking()), AIThinking())
    assert not state.is_user_speaking
    assert state.is_ai_thinking

    state = after(state, AISpeaking("Good day", 0.3))
    assert (state.is_ai_thinking, state.is_ai_speaking) == (False, True)
    assert (state.ai_transcript, state.audio_level) == ("Good day", 0.3)

    state = after(state, AIIdle())
    assert not state.is_ai_speaking
    assert state.audio_level == 0.0
    assert state.ai_transcript == "Good day"  # stays readable until the next answer


def test_disconnected_clears_what_is_going_on_but_not_what_was_said() -> None:
    before = ConversationState(
        status="connected", is_ai_speaking=True, ai_transcript="Hi", ai_audio_track=object(), audio_enabled=False
    )
    state = after(before, Disconnected(DisconnectReason.NETWORK))

    assert (state.status, state.is_ai_speaking, state.ai_audio_track) == ("disconnected", False, None)
    assert (state.ai_transcript, state.audio_enabled) == ("Hi", False)


def test_an_error_is_kept() -> None:
    error = ConnectionFailed("no")

    assert after(ConversationState(), error).error is error


@pytest.mark.parametrize("event", [Perception("happy")])
def test_other_events_change_nothing(event: Event) -> None:
    state = ConversationState()

    assert after(state, event) is state


def test_while_the_client_reconnects_nobody_speaks() -> None:
    state = after(after(ConversationState(status="connected"), AISpeaking("Good", 0.3)), Reconnecting(1, 0.0))

    assert state.status == "reconnecting"
    assert not state.is_ai_speaking
