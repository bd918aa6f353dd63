"""The wire's rules, with plain strings: nothing here opens a socket."""

import base64
import json
from typing import Any

import pytest

from spike_engine.conversation.token import token_expiry
from spike_engine.errors import ConversationEnded, ServerError
from spike_engine.events import (
    AIIdle,
    AISpeaking,
    AIThinking,
    Connected,
    Event,
    Message,
    Perception,
    UserStartedSpeaking,
    UserStoppedSpeaking,
    UserTranscript,
)
from spike_engine.protocols.rtvi import PROTOCOL_VERSION, RTVIProtocol, encode, encode_signalling


@pytest.fixture
def protocol() -> RTVIProtocol:
    return RTVIProtocol()


def receive(protocol: RTVIProtocol, *messages: tuple[str, dict[str, Any]] | str) -> list[Event]:
    """All events of `messages`, each an RTVI type or a type with its data."""
    events: list[Event] = []
    for message in messages:
        kind, data = (message, {}) if isinstance(message, str) else message
        events += protocol.receive(encode(kind, data))
    return events


def spoken(segment: int, text: str, remaining: str = "") -> tuple[str, dict[str, Any]]:
    progress = {"accumulated_text": text, "remaining_text": remaining}
    return "bot-output", {"text": f"{text} {remaining}", "segment_id": segment, "spoken_progress": progress}


def test_client_ready_opens_the_conversation(protocol: RTVIProtocol) -> None:
    message = json.loads(protocol.client_ready())

    assert (message["label"], message["type"]) == ("rtvi-ai", "client-ready")
    assert message["data"]["version"] == PROTOCOL_VERSION
    assert message["data"]["about"]["library"] == "spike_engine"
    assert message["id"]


def test_bot_ready_is_connected(protocol: RTVIProtocol) -> None:
    assert receive(protocol, ("bot-ready", {"version": "2.2.0"})) == [Connected()]


def test_a_whole_turn(protocol: RTVIProtocol) -> None:
    events = receive(
        protocol,
        "user-started-speaking",
        "user-stopped-speaking",
        ("user-transcription", {"text": "hello", "final": True}),
        "bot-llm-started",
        "bot-started-speaking",
        spoken(1, "Good", "day"),
        spoken(1, "Good day"),
        "bot-stopped-speaking",
    )

    assert events == [
        UserStartedSpeaking(),
        UserStoppedSpeaking(),
        AIThinking(),  # not told again when the model starts
        UserTranscript("hello"),
        AISpeaking(""),
        AISpeaking("Good"),
        AISpeaking("Good day"),
        AIIdle(),
    ]


def test_once_the_server_tells_when_it_thinks_the_end_of_speech_no_longer_does(protocol: RTVIProtocol) -> None:
    receive(protocol, "bot-llm-started", "bot-started-speaking", "bot-stopped-speaking")

    assert receive(protocol, "user-stopped-speaking") == [UserStoppedSpeaking()]
    assert receive(protocol, "bot-llm-started") == [AIThinking()]


def test_an_interruption_ends_the_turn_once_and_keeps_what_was_said(protocol: RTVIProtocol) -> None:
    receive(protocol, "bot-started-speaking", spoken(1, "Once upon", "a time"))
    events = receive(
        protocol, "user-started-speaking", "bot-interrupted", "bot-stopped-speaking", spoken(1, "Once upon a")
    )

    assert events == [UserStartedSpeaking(), AIIdle(interrupted=True)]


def test_each_turn_has_its_own_transcript(protocol: RTVIProtocol) -> None:
    receive(protocol, "bot-started-speaking", spoken(1, "First."), "bot-stopped-speaking")
    events = receive(protocol, "bot-started-speaking", spoken(2, "Second."))

    assert events == [AISpeaking(""), AISpeaking("Second.")]


def test_segments_of_one_turn_are_joined(protocol: RTVIProtocol) -> None:
    receive(protocol, "bot-started-speaking", spoken(1, "One."))

    assert receive(protocol, spoken(2, "Two."), spoken(2, "Two. Three.")) == [
        AISpeaking("One. Two."),
        AISpeaking("One. Two. Three."),
    ]


def test_words_that_come_before_the_voice_are_in_its_first_event(protocol: RTVIProtocol) -> None:
    assert receive(protocol, spoken(1, "Hello"), "bot-started-speaking") == [AISpeaking("Hello")]


def test_text_that_is_not_spoken_yet_is_not_transcript(protocol: RTVIProtocol) -> None:
    unspoken = ("bot-output", {"text": "Hello there", "segment_id": 1, "spoken_status": "new"})

    assert receive(protocol, "bot-started-speaking", unspoken) == [AISpeaking("")]


@pytest.mark.parametrize("source", ["tts-raw-text", "bot-tts-text", "bot-transcription"])
def test_servers_without_progress_are_read_word_by_word(protocol: RTVIProtocol, source: str) -> None:
    events = receive(protocol, "bot-started-speaking", (source, {"text": "Hello"}), (source, {"text": "you"}))

    assert events == [AISpeaking(""), AISpeaking("Hello"), AISpeaking("Hello you")]


def test_older_servers_mark_spoken_words(protocol: RTVIProtocol) -> None:
    word = ("bot-output", {"text": "Hello", "spoken": True, "aggregated_by": "word"})
    sentence = ("bot-output", {"text": "Hello you.", "spoken": False, "aggregated_by": "sentence"})

    assert receive(protocol, "bot-started-speaking", sentence, word) == [AISpeaking(""), AISpeaking("Hello")]


def test_words_told_by_two_sources_count_once(protocol: RTVIProtocol) -> None:
    events = receive(
        protocol,
        "bot-started-speaking",
        ("bot-tts-text", {"text": "Good"}),
        spoken(1, "Good"),
        ("bot-tts-text", {"text": "day"}),
        spoken(1, "Good day"),
    )

    assert [event.transcript for event in events if isinstance(event, AISpeaking)] == ["", "Good", "Good day"]


def test_user_words_told_under_two_types_count_once(protocol: RTVIProtocol) -> None:
    words = {"text": "hello", "final": True, "user_id": "", "timestamp": ""}
    events = receive(protocol, ("user-transcription", words), ("user-input", {**words, "input_type": "transcription"}))

    assert events == [UserTranscript("hello")]


def test_the_same_words_in_the_next_turn_count_again(protocol: RTVIProtocol) -> None:
    events = receive(
        protocol, ("user-input", {"text": "yes"}), "user-started-speaking", ("user-input", {"text": "yes"})
    )

    assert events == [UserTranscript("yes"), UserStartedSpeaking(), UserTranscript("yes")]


def test_partial_user_words_are_marked(protocol: RTVIProtocol) -> None:
    assert receive(protocol, ("user-transcription", {"text": "hel", "final": False})) == [
        UserTranscript("hel", final=False)
    ]


@pytest.mark.parametrize("nested", [True, False])
def test_perception(protocol: RTVIProtocol, nested: bool) -> None:
    seen = {"emotion": "happy", "gesture": "wave"}
    data = {"type": "perception", "data": seen} if nested else {"type": "perception", **seen}

    assert receive(protocol, ("server-message", data)) == [Perception("happy", "wave", data)]


def test_other_server_messages_are_passed_on(protocol: RTVIProtocol) -> None:
    assert receive(protocol, ("server-message", {"t": 1})) == [Message({"t": 1})]


def test_a_message_of_the_application_is_passed_on(protocol: RTVIProtocol) -> None:
    assert protocol.receive('{"hello": "world"}') == [Message({"hello": "world"})]


def test_an_error_that_the_server_survives(protocol: RTVIProtocol) -> None:
    (event,) = receive(protocol, ("error", {"error": "no model", "fatal": False}))

    assert isinstance(event, ServerError)
    assert event.message == "no model"


def test_a_fatal_error_ends_the_conversation(protocol: RTVIProtocol) -> None:
    (event,) = receive(protocol, ("error", {"error": "crashed", "fatal": True}))

    assert isinstance(event, ConversationEnded)
    assert event.message == "crashed"


def test_peer_left_ends_the_conversation(protocol: RTVIProtocol) -> None:
    (event,) = protocol.receive(encode_signalling("peerLeft"))

    assert isinstance(event, ConversationEnded)


@pytest.mark.parametrize("text", ["", "ping", "[1, 2]", "{", "null", "\x00"])
def test_garbage_is_counted_and_ignored(protocol: RTVIProtocol, text: str) -> None:
    assert protocol.receive(text) == []
    assert protocol.malformed == 1


@pytest.mark.parametrize(
    "message",
    [
        {"type": "signalling", "message": None},
        {"type": "signalling", "message": {"type": "renegotiate"}},
        {"label": "rtvi-ai", "type": "bot-output", "data": None},
        {"label": "rtvi-ai", "type": "bot-output", "data": {"spoken_progress": {"accumulated_text": None}}},
        {"label": "rtvi-ai", "type": None},
        {"label": "rtvi-ai", "type": "metrics", "data": {"ttfb": []}},
    ],
)
def test_unknown_or_incomplete_messages_mean_nothing(protocol: RTVIProtocol, message: Any) -> None:
    assert protocol.receive(json.dumps(message)) == []


def jwt(claims: object) -> str:
    return f"head.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.signature"


@pytest.mark.parametrize(
    ("token", "expiry_s"),
    [
        (jwt({"exp": 1000}), 1000.0),
        (jwt({}), None),
        (jwt({"exp": "soon"}), None),
        (jwt([1]), None),
        ("opaque", None),
        ("a.b.c", None),
        ("a.é.c", None),
    ],
)
def test_token_expiry(token: str, expiry_s: float | None) -> None:
    assert token_expiry(token) == expiry_s


def test_what_a_program_says_goes_out_as_rtvi() -> None:
    protocol = RTVIProtocol()
    (text,) = protocol.text("Hello.", respond=True, speak=False)
    (stop,) = protocol.interrupt()

    assert json.loads(text)["data"] == {
        "content": "Hello.",
        "options": {"run_immediately": True, "audio_response": False},
    }
    assert json.loads(stop)["data"] == {"t": "interrupt", "d": None}


def test_a_second_start_of_the_same_answer_is_not_told() -> None:
    protocol = RTVIProtocol()
    started = encode("bot-started-speaking")

    assert len(protocol.receive(started)) == 1
    assert protocol.receive(started) == []
