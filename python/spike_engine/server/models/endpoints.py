"""The three endpoints of OpenAI's form: chat, speech and transcription, as its published reference has them."""

from __future__ import annotations

import io
import os
import wave
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import aiohttp
import numpy as np
from aiohttp.http_exceptions import HttpProcessingError

from spike_engine.addresses.text import printable
from spike_engine.addresses.web import checked, shown
from spike_engine.frames import convert_samples
from spike_engine.protocols.strict_json import MOST_CHARS, object_of, parse_object, text_of
from spike_engine.server.persona import HEARING_RATE_HZ, Samples, Speech

OPENAI_URL = "https://api.openai.com/v1"
TIMEOUT = aiohttp.ClientTimeout(total=120, sock_connect=5, sock_read=30)
MOST_SPEECH_BYTES = 32 << 20  # five minutes at 48 kHz
MOST_ANSWER_CHARS = 20_000  # some twenty minutes of speech


class EndpointFailed(RuntimeError):
    """An endpoint was not reached, refused, or answered what is no answer; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the models are, and which.

    Attributes:
        url: The API's address up to ``/v1``.
        key: Sent as a bearer token; empty for servers that want none.
        chat_model: Thinks.
        speech_model: Speaks, as `voice`; empty to speak with the local voice.
        transcription_model: Hears; empty to hear with the local recogniser.
        instructions: Who the AI is and how it talks.
        greeting: What it says first; empty to let the user begin.
    """

    chat_model: str
    url: str = OPENAI_URL
    key: str = field(default="", repr=False)
    speech_model: str = ""
    voice: str = "alloy"
    transcription_model: str = ""
    instructions: str = (
        "You talk with somebody by voice. Answer in one to three short spoken sentences, without lists or markup."
    )
    greeting: str = "Hello! What can I do for you?"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Endpoints | None:
        """As ``SPIKE_CHAT_MODEL`` and its companions say (docs/server.md); None where that one is not set.

        Raises:
            InvalidOption: ``OPENAI_BASE_URL`` is no http:// or https:// address.
        """
        names = {
            "chat_model": "SPIKE_CHAT_MODEL",
            "url": "OPENAI_BASE_URL",
            "key": "OPENAI_API_KEY",
            "speech_model": "SPIKE_SPEECH_MODEL",
            "voice": "SPIKE_SPEECH_VOICE",
            "transcription_model": "SPIKE_TRANSCRIPTION_MODEL",
            "instructions": "SPIKE_INSTRUCTIONS",
            "greeting": "SPIKE_GREETING",
        }
        given = {attribute: environment[name] for attribute, name in names.items() if environment.get(name)}
        if "url" in given:
            given["url"] = checked(given["url"], "OPENAI_BASE_URL")
        return cls(**given) if "chat_model" in given else None


class Models:
    """Asks the endpoints, over one HTTP session that `close` ends."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        headers = {"Authorization": f"Bearer {endpoints.key}"} if endpoints.key else {}
        self._http = aiohttp.ClientSession(headers=headers, timeout=TIMEOUT)

    async def close(self) -> None:
        """End the session."""
        await self._http.close()

    async def chat(self, messages: Sequence[Mapping[str, str]]) -> AsyncGenerator[str]:
        """The answer to `messages`, in the pieces in which it comes (server-sent events)."""
        body = {"model": self._endpoints.chat_model, "messages": list(messages), "stream": True}
        async with self._asking("/chat/completions", json=body) as response:
            said = 0
            async for data in _events(response):
                if piece := _piece(data):
                    said += len(piece)
                    if said > MOST_ANSWER_CHARS:
                        raise EndpointFailed("/chat/completions answered without end")
                    yield piece

    async def speak(self, text: str) -> Speech:
        """The sound of `text`."""
        endpoints = self._endpoints
        body = {"model": endpoints.speech_model, "voice": endpoints.voice, "input": text, "response_format": "wav"}
        async with self._asking("/audio/speech", json=body) as response:
            return _speech(await _all_of(response, MOST_SPEECH_BYTES))

    async def transcribe(self, sound: Samples) -> str:
        """The words in `sound`, mono float32 at 16 kHz."""
        form = aiohttp.FormData()
        form.add_field("file", _wav(sound), filename="speech.wav", content_type="audio/wav")
        form.add_field("model", self._endpoints.transcription_model)
        async with self._asking("/audio/transcriptions", data=form) as response:
            answer = await _all_of(response, MOST_CHARS)
        text = (parse_object(answer) or {}).get("text")
        if not isinstance(text, str):
            raise EndpointFailed(f"/audio/transcriptions answered no text: {answer[:80]!r}")
        return text.strip()

    def _asking(self, path: str, **body: Any) -> _Asking:
        return _Asking(self._http, self._endpoints.url.rstrip("/") + path, body)


class _Asking:
    """One request; what goes wrong from sending to the last byte is an :class:`EndpointFailed`."""

    def __init__(self, http: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> None:
        self._called = shown(url)
        self._request = http.post(url, **body)

    async def __aenter__(self) -> aiohttp.ClientResponse:
        try:
            response = await self._request.__aenter__()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise EndpointFailed(f"{self._called} could not be reached: {error or type(error).__name__}") from error
        if response.status != 200:
            text = (await response.content.read(200)).decode("utf-8", "replace")
            response.close()
            raise EndpointFailed(f"{self._called} answered {response.status}: {printable(text)}")
        return response

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._request.__aexit__(kind, error, trace)
        if isinstance(error, aiohttp.ClientError | TimeoutError):
            raise EndpointFailed(f"{self._called} broke off: {error or type(error).__name__}") from error


async def _all_of(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        content += chunk
        if len(content) > most_bytes:
            raise EndpointFailed(f"{response.url.path} answered without end")
    return bytes(content)


async def _events(response: aiohttp.ClientResponse) -> AsyncGenerator[str]:
    """What the events of a stream hold, or a single answer where the server does not stream."""
    if response.content_type == "application/json":
        yield (await _all_of(response, MOST_CHARS)).decode("utf-8", "replace")
        return
    try:
        async for line in response.content:
            data = line.decode("utf-8", "replace").removeprefix("data:").strip()
            if line.startswith(b"data:") and data and data != "[DONE]":  # some keep a line alive by empty events
                yield data
    except (ValueError, HttpProcessingError) as error:  # aiohttp reads no line of more than some 100 KiB
        raise EndpointFailed("/chat/completions sent an event without end") from error


def _piece(data: str) -> str:
    """The text in one event of a chat; empty where it brings none."""
    event = parse_object(data)
    if event is None:
        raise EndpointFailed(f"/chat/completions sent what is no event: {data[:80]!r}")
    if error := event.get("error"):  # in the midst of a stream, when 200 has been said already
        text = text_of(object_of(error).get("message")) or text_of(error) or "it does not say why"
        raise EndpointFailed(f"/chat/completions failed: {printable(text[:200])}")
    choices = event.get("choices")
    choice = object_of(choices[0]) if isinstance(choices, list) and choices else {}
    content = object_of(choice.get("delta") or choice.get("message")).get("content")
    if isinstance(content, list):  # of parts, as some models answer
        return "".join(text_of(object_of(part).get("text")) for part in content)
    return text_of(content)


def _speech(content: bytes) -> Speech:
    try:
        with wave.open(io.BytesIO(content)) as sound:  # the header of a streamed file claims any number of frames
            channels, width, rate_hz = sound.getnchannels(), sound.getsampwidth(), sound.getframerate()
            pcm = sound.readframes(len(content))
    except (wave.Error, EOFError) as error:
        raise EndpointFailed(f"/audio/speech answered no WAV file: {content[:16]!r}") from error
    if not (1 <= channels <= 8 and 8000 <= rate_hz <= 192_000):
        raise EndpointFailed(f"/audio/speech answered {channels} channels at {rate_hz} Hz, which are no speech")
    if width != 2:
        raise EndpointFailed(f"/audio/speech answered {8 * width}-bit sound; 16 bits are understood")
    whole = len(pcm) // (2 * channels) * 2 * channels
    samples = np.frombuffer(pcm[:whole], np.int16).reshape(-1, channels)
    return Speech(convert_samples(samples, channels=1).ravel(), rate_hz)


def _wav(sound: Samples) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(HEARING_RATE_HZ)
        file.writeframes(convert_samples(sound, "int16").tobytes())
    return content.getvalue()
