"""Whatever a server says: a protocol answers with events or with none, and shows a person words only."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spike_engine import FunctionCall, InvalidOption, Message, ServerError, SpikeError, UserTranscript
from spike_engine.conversation.token import token_expiry
from spike_engine.protocols import openai, rtvi
from spike_engine.protocols.media_only import MediaOnlyProtocol
from spike_engine.protocols.openai import OpenAIProtocol
from spike_engine.protocols.rtvi import RTVIProtocol, encode
from spike_engine.protocols.strict_json import DEEPEST, parse, parse_object, write

PROTOCOLS = [RTVIProtocol, OpenAIProtocol, MediaOnlyProtocol]

RTVI_KINDS = [
    *("bot-ready", "bot-llm-started", "bot-started-speaking", "bot-stopped-speaking", "bot-interrupted", "error"),
    *("user-started-speaking", "user-stopped-speaking", "user-input", "user-transcription", "error-response"),
    *("llm-function-call-started", "llm-function-call-in-progress", "llm-function-call-stopped", "bot-output"),
    *("tts-raw-text", "bot-tts-text", "bot-transcription", "server-message", "server-response", "unheard-of"),
]
OPENAI_KINDS = [
    *("session.created", "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "error"),
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    *("response.created", "response.output_audio_transcript.delta", "output_audio_buffer.started", "response.done"),
    *("output_audio_buffer.cleared", "response.output_item.added", "response.function_call_arguments.done"),
]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
RTVI_FIELDS = [
    *("text", "final", "error", "fatal", "message", "type", "t", "d", "data", "emotion", "gesture", "function_name"),
    *("tool_call_id", "arguments", "result", "cancelled", "segment_id", "spoken_progress", "spoken", "aggregated_by"),
]
rtvi_messages = st.fixed_dictionaries(
    {
        "label": st.just("rtvi-ai") | values,
        "type": st.sampled_from(RTVI_KINDS) | values,
        "id": values,
        "data": values | st.dictionaries(st.sampled_from(RTVI_FIELDS), values, max_size=6),
    }
)
openai_messages = st.dictionaries(
    st.sampled_from(["item_id", "delta", "transcript", "error", "response", "item", "name", "call_id", "arguments"]),
    values | st.dictionaries(st.sampled_from(["message", "code", "status", "status_details", "error", "type"]), values),
).flatmap(lambda fields: st.fixed_dictionaries({"type": st.sampled_from(OPENAI_KINDS) | values}).map(fields.__or__))


def assert_fit_for_a_person(event: Any) -> None:
    if isinstance(event, SpikeError):
        assert isinstance(event.message, str)
        event.message.encode()
        return
    for field in fields(event) if is_dataclass(event) else ():
        if field.name in ("transcript", "emotion", "gesture", "type", "reply_to", "name", "call_id"):
            value = getattr(event, field.name)
            assert value is None or isinstance(value, str), event
            (value or "").encode()


@given(st.lists(rtvi_messages, max_size=4))
def test_an_rtvi_message_of_any_shape_is_events(messages: list[Any]) -> None:
    protocol = RTVIProtocol()
    for message in messages:
        for event in protocol.receive(json.dumps(message)):
            assert_fit_for_a_person(event)


@given(st.lists(openai_messages, max_size=4))
def test_an_openai_event_of_any_shape_is_events(messages: list[Any]) -> None:
    protocol = OpenAIProtocol()
    for message in messages:
        for event in protocol.receive(json.dumps(message)):
            assert_fit_for_a_person(event)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(text=st.text())
def test_any_text_is_events(protocol: Any, text: str) -> None:
    protocol().receive(text)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "text",
    [
        "[" * 50_000,
        '{"a":' * 50_000,
        "[" * 50_000 + "]" * 50_000,
        '{"label":"rtvi-ai","type":"server-message","data":' + "[" * 900 + "]" * 900 + "}",
        '{"label":"rtvi-ai","type":"server-message","data":NaN}',
        '{"type":"x","data":-Infinity}',
        '{"type":"x","n":' + "9" * 5000 + "}",
        '{"type":"x","data":"' + "a" * (2 << 20) + '"}',
        "\0",
        "\ufeff{}",
    ],
    ids=range(10),
)
def test_a_text_that_no_program_can_walk_through_is_ignored(protocol: Any, text: str) -> None:
    assert protocol().receive(text) == []


@pytest.mark.parametrize("kind", ["user-transcription", "error", "bot-output", "llm-function-call-started"])
def test_null_where_words_belong_is_never_shown(kind: str) -> None:
    data = dict.fromkeys(RTVI_FIELDS)
    for event in RTVIProtocol().receive(encode(kind, data)):
        assert "None" not in str(event) or isinstance(event, FunctionCall)
    (answer,) = RTVIProtocol().receive('{"label":"rtvi-ai","type":"server-response","id":null,"data":{"t":null}}')
    assert answer == Message(None, None, None)


def test_null_in_openai_events_is_never_shown() -> None:
    protocol = OpenAIProtocol()
    assert protocol.receive('{"type":"conversation.item.input_audio_transcription.completed","transcript":null}') == [
        UserTranscript("")
    ]
    (failure,) = protocol.receive('{"type":"response.done","response":{"status":"failed","status_details":"no"}}')
    assert isinstance(failure, ServerError)
    assert failure.message == "the answer failed"


def test_an_error_in_an_object_is_told_by_its_message() -> None:
    (failure,) = RTVIProtocol().receive(encode("error", {"error": {"message": "no credit"}}))

    assert failure.message == "no credit"


def test_half_a_surrogate_pair_becomes_a_character_that_can_be_printed() -> None:
    text = '{"label":"rtvi-ai","type":"user-transcription","data":{"text":"a\\ud800b"}}'

    assert RTVIProtocol().receive(text) == [UserTranscript("a?b")]


def test_what_a_server_makes_us_hold_is_bounded() -> None:
    rtvi_protocol, openai_protocol = RTVIProtocol(), OpenAIProtocol()
    rtvi_protocol.receive(encode("bot-started-speaking"))
    delta = {"type": "conversation.item.input_audio_transcription.delta", "delta": "a" * 1000}
    for index in range(300):
        rtvi_protocol.receive(encode("bot-tts-text", {"text": "a" * 1000}))
        openai_protocol.receive(json.dumps(delta | {"item_id": f"item {index}"}))
        openai_protocol.receive(json.dumps({"type": "response.output_text.delta", "delta": "a" * 1000}))

    assert len(rtvi_protocol._transcript.text) <= rtvi.MOST_CHARS + 1000
    assert len(openai_protocol._heard) == openai.MOST_ITEMS
    assert len(openai_protocol._transcript) == openai.MOST_CHARS


loop: list[Any] = []
loop.append(loop)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"level": float("-inf")}, "\ud800", {1, 2}, b"x", loop])
@pytest.mark.parametrize("protocol", [RTVIProtocol, OpenAIProtocol])
def test_what_json_cannot_hold_is_not_sent(protocol: Any, value: Any) -> None:
    with pytest.raises(InvalidOption, match="JSON"):
        protocol().message("level", {"value": value})
    with pytest.raises(InvalidOption, match="JSON"):
        protocol().function_result(FunctionCall("started", "f", "1"), {"value": value})


@pytest.mark.parametrize("protocol", [RTVIProtocol, OpenAIProtocol])
def test_a_message_may_hold_fields_that_the_wire_uses_itself(protocol: Any) -> None:
    message_id, texts = protocol().message("kind", {"type": "other", "event_id": "mine", "kind": 1})

    assert message_id in texts[0]


@given(values)
def test_what_is_written_reads_the_same(value: Any) -> None:
    try:
        text = write(value)
    except InvalidOption:
        return
    assert parse(text) == json.loads(text)


def test_as_deep_as_is_allowed_is_read() -> None:
    assert parse("[" * DEEPEST + "]" * DEEPEST)
    assert parse_object("[" * DEEPEST + "]" * DEEPEST) is None
    with pytest.raises(ValueError, match="nested"):
        parse("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))


@given(st.text() | st.builds("a.{}.b".format, st.text()))
def test_any_token_has_an_expiry_or_none(token: str) -> None:
    assert token_expiry(token) is None or isinstance(token_expiry(token), float)


@pytest.mark.parametrize("claims", ["[" * 5000, '{"exp":' + "9" * 400 + "}", '{"exp":null}', "[1]", '{"exp":{}}'])
def test_strange_claims_have_no_expiry(claims: str) -> None:
    from base64 import urlsafe_b64encode

    assert token_expiry(f"a.{urlsafe_b64encode(claims.encode()).decode()}.b") is None
