"""The persona over endpoints of OpenAI's form, against a local stand-in that follows the published reference."""

from __future__ import annotations

import asyncio
import io
import json
import wave
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Self

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from caller import Caller

from spike_engine.server import ConversationServer, Endpoints, ModelPersona
from spike_engine.server.models.endpoints import EndpointFailed, Models

pytestmark = pytest.mark.usefixtures("nothing_left_open")


class StandIn:
    """Chat, speech and transcription, and what they were asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.answer = ["Good", " day to you. How", " are you?\nI am", " well."]
        self.status = 200
        self.sound = hum()
        self.raw: tuple[str, bytes] | None = None  # content type and body of whatever is asked, in the place of answers
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/audio/speech", self._speech)
        app.router.add_post("/v1/audio/transcriptions", self._transcription)
        self._server = TestServer(app)

    def endpoints(self, **fields: Any) -> Endpoints:
        defaults = {"speech_model": "talker", "transcription_model": "listener", "greeting": ""}
        url = str(self._server.make_url("/v1"))
        return Endpoints("thinker", url=url, key="sk-test", **(defaults | fields))

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    async def _note(self, request: web.Request, body: Any) -> None:
        self.asked.append((request.path, body))
        assert request.headers["Authorization"] == "Bearer sk-test"
        if self.status != 200:
            raise refusal(self.status)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        await self._note(request, await request.json())
        if self.raw:
            return web.Response(body=self.raw[1], content_type=self.raw[0])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": a comment\n\n")
        for piece in self.answer:
            event = {"choices": [{"index": 0, "delta": {"content": piece}}]}
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
        await response.write(b'data: {"choices": [], "usage": {}}\n\ndata: [DONE]\n\n')
        return response

    async def _speech(self, request: web.Request) -> web.Response:
        await self._note(request, await request.json())
        return web.Response(body=self.sound, content_type="audio/wav")

    async def _transcription(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        with wave.open(file.file, "rb") as sound:
            await self._note(request, (form["model"], sound.getframerate(), sound.getnframes()))
        if self.raw:
            return web.Response(body=self.raw[1], content_type=self.raw[0])
        return web.json_response({"text": " Hello there. "})


def refusal(status: int) -> web.HTTPException:
    error = web.HTTPUnauthorized(text="no such key")
    error.set_status(status)
    return error


def hum(channels: int = 1, width: int = 2) -> bytes:
    samples = (8000 * np.sin(np.arange(12_000 * channels) / 20)).astype(np.int16)
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(24_000)
        file.writeframes(samples.tobytes())
    return content.getvalue()


@pytest.fixture
async def api() -> AsyncIterator[StandIn]:
    async with StandIn() as api:
        yield api


async def blocks() -> AsyncIterator[np.ndarray]:
    for _ in range(3):
        yield np.full(1600, 0.5, np.float32)


async def test_a_turn_is_heard_thought_and_spoken(api: StandIn) -> None:
    persona = ModelPersona(api.endpoints(instructions="Be brief."))
    await persona.start()
    (words,) = [words async for words in persona.hear(blocks())]
    sentences = [sentence async for sentence in persona.think(words)]
    speech = await persona.speak(sentences[0])
    persona.said("Good day to you. How", interrupted=True)
    persona.know("The user looks at page 3.", "system")
    [sentence async for sentence in persona.think("Go on.")]
    await persona.close()

    assert sentences == ["Good day to you.", "How are you?", "I am well."]
    assert (speech.sample_rate_hz, len(speech.samples)) == (24_000, 12_000)
    assert 0.2 < np.abs(speech.samples).max() < 0.3
    paths = ["/v1/audio/transcriptions", "/v1/chat/completions", "/v1/audio/speech", "/v1/chat/completions"]
    assert [path for path, _ in api.asked] == paths
    assert api.asked[0][1] == ("listener", 16_000, 4800)
    assert api.asked[2][1] == {
        "model": "talker", "voice": "alloy", "input": "Good day to you.", "response_format": "wav",
    }  # fmt: skip
    assert api.asked[3][1]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello there."},
        {"role": "assistant", "content": "Good day to you. How …"},
        {"role": "system", "content": "The user looks at page 3."},
        {"role": "user", "content": "Go on."},
    ]


async def test_a_conversation(api: StandIn) -> None:
    persona = partial(ModelPersona, api.endpoints())
    async with ConversationServer(persona=persona) as server, Caller(server.create_conversation()) as caller:
        caller.send("send-text", {"content": "hello"})
        await caller.until("bot-stopped-speaking")
        said = [output["text"] for output in caller.of("bot-output") if output["spoken_status"] == "completed"]
        assert said == ["Good day to you.", "How are you?", "I am well."]

        api.status = 401
        caller.send("send-text", {"content": "and now?"})
        assert "answered 401: no such key" in (await caller.until("error"))["error"]


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_a_refusal_says_who_refused(api: StandIn, status: int) -> None:
    api.status = status
    models = Models(api.endpoints())
    with pytest.raises(EndpointFailed, match=f"/v1/audio/speech answered {status}"):
        await models.speak("x")
    with pytest.raises(EndpointFailed, match=f"/v1/chat/completions answered {status}"):
        [piece async for piece in models.chat([])]
    await models.close()


@pytest.mark.parametrize(
    ("sound", "message"), [(b"RIFF", "no WAV file"), (b"", "no WAV file"), (hum(width=1), "8-bit sound")]
)
async def test_what_is_no_speech_is_refused(api: StandIn, sound: bytes, message: str) -> None:
    api.sound = sound
    models = Models(api.endpoints())
    with pytest.raises(EndpointFailed, match=message):
        await models.speak("x")
    await models.close()


async def test_stereo_is_mixed_down(api: StandIn) -> None:
    api.sound = hum(channels=2)
    models = Models(api.endpoints())
    assert (await models.speak("x")).samples.shape == (12_000,)
    await models.close()


async def test_nobody_there(unused_tcp_port: int) -> None:
    models = Models(Endpoints("thinker", url=f"http://127.0.0.1:{unused_tcp_port}/v1"))
    with pytest.raises(EndpointFailed, match="could not be reached"):
        await models.transcribe(np.zeros(100, np.float32))
    await models.close()


def test_the_environment_names_the_models() -> None:
    assert Endpoints.from_environment({}) is None
    assert Endpoints.from_environment({"OPENAI_API_KEY": "sk-1"}) is None
    endpoints = Endpoints.from_environment(
        {"SPIKE_CHAT_MODEL": "m", "OPENAI_BASE_URL": "http://localhost:11434/v1", "OPENAI_API_KEY": "sk-1"}
    )
    assert endpoints == Endpoints("m", url="http://localhost:11434/v1", key="sk-1")
    assert "sk-1" not in repr(endpoints)


async def test_a_turn_that_is_cancelled_leaves_no_request(api: StandIn) -> None:
    models = Models(api.endpoints())
    thinking = models.chat([])
    assert await anext(thinking) == "Good"
    await thinking.aclose()
    await models.close()
    await asyncio.sleep(0)


def event(content: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": content}}]}).encode() + b"\n\n"


ENDS = b"data: [DONE]\n\n"
STREAM, PLAIN = "text/event-stream", "application/json"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (STREAM, b": ping\n\ndata:\n\ndata: \n\n" + event("Yes.") + ENDS),
        (STREAM, event(None) + b'data: {"choices": null}\n\n' + event("Yes.")),
        (STREAM, event([{"type": "text", "text": "Y"}, {"type": "image"}, None]) + event("es.")),
        (STREAM, b'data: {"choices": [null]}\r\n\r\n' + event({"text": "no"}) + event("Yes.")),
        (PLAIN, b'{"choices": [{"message": {"role": "assistant", "content": "Yes."}}]}'),
    ],
    ids=["empty events", "nothing at first", "parts", "choices that are none", "no stream"],
)
async def test_servers_that_stream_in_their_own_way_are_understood(
    api: StandIn, content_type: str, body: bytes
) -> None:
    api.raw = (content_type, body)
    models = Models(api.endpoints())
    assert "".join([piece async for piece in models.chat([])]) == "Yes."
    await models.close()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (event("Well") + b'data: {"error": {"message": "overloaded", "code": 529}}\n\n', "failed: overloaded"),
        (b'data: {"error": 5}\n\n', "failed: it does not say why"),
        (b"data: " + b'{"a":' * 50_000 + b"\n\n", "event without end|no event"),
        (b"data: " + b"[" * 5000 + b"\n\n", "no event"),
        (b"data: " + b"x" * 3_000_000, "event without end|no event"),
        (event("and so on, " * 100) * 30, "answered without end"),
    ],
    ids=["an error in the midst", "an error without words", "deep", "deep and no object", "long", "endless"],
)
async def test_what_is_no_answer_is_said_in_words(api: StandIn, body: bytes, message: str) -> None:
    api.raw = (STREAM, body)
    models = Models(api.endpoints())
    with pytest.raises(EndpointFailed, match=message):
        [piece async for piece in models.chat([])]
    await models.close()


@pytest.mark.parametrize("body", [b'{"text": null}', b'{"text": ["a"]}', b"[]", b"[" * 50_000, b"", b"NaN"])
async def test_what_is_no_transcript_is_refused(api: StandIn, body: bytes) -> None:
    api.raw = (PLAIN, body)
    models = Models(api.endpoints())
    with pytest.raises(EndpointFailed, match="answered no text"):
        await models.transcribe(np.zeros(100, np.float32))
    api.raw = (PLAIN, b"x" * (1 << 21))
    with pytest.raises(EndpointFailed, match="transcriptions answered without end"):
        await models.transcribe(np.zeros(100, np.float32))
    await models.close()


@pytest.mark.parametrize(("at", "value"), [(22, b"\xff\xff"), (24, bytes(4)), (24, b"\xff" * 4)])
async def test_sound_that_is_no_speech_is_refused(api: StandIn, at: int, value: bytes) -> None:
    sound = bytearray(api.sound)
    sound[at : at + len(value)] = value
    api.sound = bytes(sound)
    models = Models(api.endpoints())
    with pytest.raises(EndpointFailed, match=r"which are no speech|no WAV file"):
        await models.speak("x")
    await models.close()


async def test_a_password_in_the_address_is_not_shown(unused_tcp_port: int) -> None:
    models = Models(Endpoints("thinker", url=f"http://me:secret@127.0.0.1:{unused_tcp_port}/v1"))
    with pytest.raises(EndpointFailed, match="could not be reached") as error:
        await models.transcribe(np.zeros(100, np.float32))
    await models.close()

    assert "secret" not in str(error.value)
