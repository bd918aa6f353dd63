"""OpenAI Realtime against a local server that follows what is published; where openai is installed, its own types
check every event that goes either way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
from answering import RealtimeServer
from endpoints import ArrayMicrophone, RecordingLoudspeaker

from spike_engine import ConversationEnded, ErrorCode, SpikeClient, TokenExpired
from spike_engine.events import AIIdle, AISpeaking, AIThinking, UserStartedSpeaking, UserStoppedSpeaking, UserTranscript
from spike_engine.protocols.openai import OpenAIProtocol
from spike_engine.transports.openai_realtime import calls_url
from spike_engine.transports.registry import transport_of

pytestmark = pytest.mark.usefixtures("nothing_left_open")

Record = Callable[[SpikeClient], list[tuple[str, Any]]]
IDS = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}


@pytest.fixture
async def server() -> AsyncIterator[RealtimeServer]:
    async with RealtimeServer() as server:
        yield server


def client_of(server: RealtimeServer, **options: Any) -> SpikeClient:
    defaults = {"audio_source": ArrayMicrophone(), "audio_output": RecordingLoudspeaker(), "join_timeout_s": 20.0}
    return SpikeClient(conversation_url=server.url, token="ek_1", **(defaults | options))


def checked(event: dict[str, Any], union: str) -> dict[str, Any]:
    """`event`, if openai's types accept it."""
    openai = pytest.importorskip("openai.types.realtime")
    pydantic = pytest.importorskip("pydantic")
    pydantic.TypeAdapter(getattr(openai, union)).validate_python(event)
    return event


async def test_a_whole_turn(server: RealtimeServer, heard: Record) -> None:
    client = client_of(server)
    events = heard(client)
    server.voice.level = 0.3
    async with client:
        assert server.requests[0].headers["Authorization"] == "Bearer ek_1"
        assert client._transport.call_id == "rtc_123"
        idle = asyncio.ensure_future(client.wait_for("ai-idle", timeout=20))
        await asyncio.sleep(0)
        for kind, fields in (
            ("input_audio_buffer.speech_started", {"audio_start_ms": 100, "item_id": "item_0"}),
            ("input_audio_buffer.speech_stopped", {"audio_end_ms": 900, "item_id": "item_0"}),
            ("conversation.item.input_audio_transcription.delta", {"item_id": "item_0", "delta": "Good "}),
            ("conversation.item.input_audio_transcription.delta", {"item_id": "item_0", "delta": "day"}),
            ("response.created", {"response": {"id": "resp_1", "object": "realtime.response"}}),
            ("response.output_audio_transcript.delta", {**IDS, "delta": "And to "}),
            ("output_audio_buffer.started", {"response_id": "resp_1"}),
            ("response.output_audio_transcript.delta", {**IDS, "delta": "you"}),
            ("response.done", {"response": {"id": "resp_1", "status": "completed"}}),
            ("output_audio_buffer.stopped", {"response_id": "resp_1"}),
        ):
            checked({"type": kind, "event_id": "event_1", **fields}, "RealtimeServerEvent")
            server.say(kind, **fields)
        await idle
        assert client.state.ai_transcript == "And to you"
        assert client.get_ai_video_track() is None
        frame = await asyncio.wait_for(client.get_ai_audio_track().recv(), 10)
        assert frame.sample_rate == 48000

    seen = [event for name, event in events if name not in ("stats", "network-quality", "connected", "disconnected")]
    said = [event.transcript for event in seen if isinstance(event, AISpeaking)]
    assert list(dict.fromkeys(said)) == ["And to ", "And to you"]
    assert [type(event) for event in seen if not isinstance(event, AISpeaking)] == [
        UserStartedSpeaking,
        UserStoppedSpeaking,
        UserTranscript,
        UserTranscript,
        AIThinking,
        AIIdle,
    ]


async def test_what_the_program_sends(server: RealtimeServer) -> None:
    async with client_of(server) as client:
        client.send_text("hello", speak=False)
        client.send_message("session.update", {"session": {"type": "realtime", "instructions": "Be brief."}})
        server.say("response.created", response={})
        call = asyncio.ensure_future(client.wait_for("function-call", timeout=20))
        await client.wait_for("ai-thinking", timeout=20)
        arguments = {"call_id": "call_1", "name": "look_up", "arguments": '{"word": "spike"}', **IDS}
        server.say("response.function_call_arguments.done", **arguments)
        client.send_function_result(await call, {"meaning": "a nail"})
        client.interrupt()
        sent = [checked(await asyncio.wait_for(server.received.get(), 20), "RealtimeClientEvent") for _ in range(7)]

    assert [event["type"] for event in sent] == [
        "conversation.item.create",
        "response.create",
        "session.update",
        "conversation.item.create",
        "response.create",
        "response.cancel",
        "output_audio_buffer.clear",
    ]
    assert sent[1]["response"]["output_modalities"] == ["text"]
    assert (await call).arguments == {"word": "spike"}
    assert sent[3]["item"] == {"type": "function_call_output", "call_id": "call_1", "output": '{"meaning":"a nail"}'}


async def test_what_a_program_does_beside_talking(server: RealtimeServer) -> None:
    client = client_of(server, turn_detection="push-to-talk")

    @client.function
    def look_up(word: str) -> str:
        """What a word means."""
        return f"{word} is a nail"

    @client.function
    async def note(text: str) -> None:
        """Write it down."""

    sent: list[dict[str, Any]] = []

    async def until_sent(count: int) -> None:
        while len(sent) < count:
            sent.append(checked(await asyncio.wait_for(server.received.get(), 20), "RealtimeClientEvent"))

    async with client:
        client.append_to_context("I see a nail", role="system")
        client.send_dtmf("1#")
        client.send_picture(np.zeros((90, 160, 3), np.uint8), "What is it?", respond=False)
        client.send_picture(np.zeros((90, 160, 3), np.uint8), respond=False)
        client.start_talking()
        client.stop_talking()
        client.unregister_function("note")
        server.say("response.function_call_arguments.done", call_id="1", name="look_up", arguments='{"word":"spike"}')
        await until_sent(12)

    update = sent[0]["session"]
    assert [tool["name"] for tool in update["tools"]] == ["look_up", "note"]
    assert update["tools"][0]["parameters"]["properties"] == {"word": {"type": "string"}}
    assert update["audio"] == {"input": {"turn_detection": None}}
    assert [event["type"] for event in sent[1:]] == [
        "conversation.item.create",
        "conversation.item.create",
        "response.create",
        "conversation.item.create",
        "conversation.item.create",
        "input_audio_buffer.clear",
        "input_audio_buffer.commit",
        "response.create",
        "session.update",
        "conversation.item.create",
        "response.create",
    ]
    assert (sent[1]["item"]["role"], sent[2]["item"]["content"][0]["text"]) == ("system", "DTMF: 1#")
    assert [part["type"] for part in sent[4]["item"]["content"]] == ["input_image", "input_text"]
    assert [part["type"] for part in sent[5]["item"]["content"]] == ["input_image"]
    assert [tool["name"] for tool in sent[9]["session"]["tools"]] == ["look_up"]
    assert sent[10]["item"]["output"] == "spike is a nail"


async def test_what_was_heard_of_words_that_come_before_the_voice(server: RealtimeServer) -> None:
    client = client_of(server)
    async with client:
        idle = asyncio.ensure_future(client.wait_for("ai-idle", timeout=20))
        server.say("response.created", response={})
        server.say("response.output_audio_transcript.delta", **IDS, delta="word " * 400)
        server.say("output_audio_buffer.started")
        await client.wait_for("ai-speaking", timeout=20)
        server.say("output_audio_buffer.cleared")
        await idle
    (turn,) = client.history

    assert turn.interrupted
    assert turn.estimated
    assert len(turn.heard) < 200 < len(turn.text)


async def test_errors_and_the_end(server: RealtimeServer, heard: Record) -> None:
    client = client_of(server)
    events = heard(client)
    await client.join()
    over = asyncio.ensure_future(client.wait_for("disconnected", timeout=20))
    await asyncio.sleep(0)
    server.say("error", error={"type": "invalid_request_error", "message": "what?"})
    server.say("error", error={"type": "invalid_request_error", "message": "time is up", "code": "session_expired"})

    assert (await over).reason == "ended"
    errors = [event for name, event in events if name == "error"]
    assert [error.code for error in errors] == [ErrorCode.SERVER_ERROR, ErrorCode.CONVERSATION_ENDED]
    assert errors[0].message == "what?"


async def test_a_server_that_hangs_up(server: RealtimeServer) -> None:
    client = client_of(server)
    await client.join()
    over = asyncio.ensure_future(client.wait_for("disconnected", timeout=20))
    await asyncio.sleep(0)
    await server.hang_up()

    assert (await over).reason == "ended"


@pytest.mark.parametrize(("status", "error"), [(401, TokenExpired), (404, ConversationEnded)])
async def test_a_refusal(server: RealtimeServer, status: int, error: type) -> None:
    server.refusal = status
    with pytest.raises(error):
        await client_of(server).join()


def test_the_address_chooses_the_transport() -> None:
    assert transport_of("https://api.openai.com/v1/realtime/calls") == "openai"
    assert transport_of("http://localhost:8000/v1/realtime/calls?model=x") == "openai"
    assert transport_of("https://example.org/whip/room") == "whip"
    assert transport_of("https://example.org/conversations/1") == "smallwebrtc"
    assert calls_url("https://api.openai.com") == "https://api.openai.com/v1/realtime/calls"
    assert calls_url("https://api.openai.com/v1/realtime/calls?model=m").endswith("/v1/realtime/calls?model=m")


def test_an_answer_that_is_cut_off_or_silent_or_fails() -> None:
    protocol = OpenAIProtocol()

    def receive(kind: str, **fields: Any) -> list[Any]:
        import json

        return protocol.receive(json.dumps({"type": kind, **fields}))

    receive("response.created")
    receive("output_audio_buffer.started")
    assert receive("response.done", response={"status": "cancelled"}) == []  # its voice has not ended yet
    assert receive("output_audio_buffer.cleared") == [AIIdle(interrupted=True)]
    receive("response.created")
    assert receive("response.done", response={"status": "completed"}) == [AIIdle()]
    receive("response.created")
    failed = receive("response.done", response={"status": "failed", "status_details": {"error": {"message": "oh"}}})
    assert failed[0].message == "oh"
    assert receive("rate_limits.updated", rate_limits=[])[0].type == "rate_limits.updated"
    assert protocol.receive("[]") == protocol.receive("no JSON") == []


def test_text_that_asks_for_no_answer_is_only_told() -> None:
    texts = OpenAIProtocol().text("By the way.", respond=False, speak=True)

    assert [json.loads(text)["type"] for text in texts] == ["conversation.item.create"]


def test_only_a_function_call_of_a_new_item_is_told() -> None:
    added = {"type": "response.output_item.added", "item": {"type": "message"}}
    call = {"type": "response.output_item.added", "item": {"type": "function_call", "name": "weather", "call_id": "1"}}
    protocol = OpenAIProtocol()

    assert protocol.receive(json.dumps(added)) == []
    assert [event.name for event in protocol.receive(json.dumps(call))] == ["weather"]
