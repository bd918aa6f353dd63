"""The RTVI 2.2 messages of a conversation, without any input or output of its own.

:class:`RTVIProtocol` takes each text that arrives on the data channel and says which events it means. It opens
no socket and reads no clock, so every rule of the wire is tested with plain strings.
"""

from __future__ import annotations

import logging
import platform
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any, Literal, cast

from spike_engine.errors import ConversationEnded, ServerError
from spike_engine.events import (
    AIIdle,
    AISpeaking,
    AIThinking,
    Connected,
    Event,
    FunctionCall,
    Message,
    Perception,
    UserStartedSpeaking,
    UserStoppedSpeaking,
    UserTranscript,
)
from spike_engine.protocols.base import Role, keys_of, role_of
from spike_engine.protocols.functions import Function
from spike_engine.protocols.strict_json import object_of, parse_object, text_of, text_or_none, write

logger = logging.getLogger(__name__)


LABEL = "rtvi-ai"


PROTOCOL_VERSION = "2.2.0"


# Where the AI's words can come from, best first. A server that sends a better one is not listened to on the others, or
# every word would count twice.
_TRANSCRIPT_SOURCES = ("bot-output", "tts-raw-text", "bot-tts-text", "bot-transcription")

# What a server can make us hold: an answer without end, and the segments whose late words are not the next answer's.
MOST_CHARS = 100_000
MOST_ENDED = 1000


def encode(message_type: str, data: Mapping[str, Any] | None = None, message_id: str | None = None) -> str:
    """One RTVI message as text for the data channel.

    Raises:
        InvalidOption: JSON cannot hold `data`.
    """
    return write({"label": LABEL, "type": message_type, "id": message_id or uuid.uuid4().hex[:8], "data": data or {}})


def encode_signalling(message_type: str, **fields: Any) -> str:
    """One message of the transport itself, such as ``peerLeft`` or ``trackStatus``."""
    return write({"type": "signalling", "message": {"type": message_type, **fields}})


def _options(respond: bool, speak: bool) -> dict[str, bool]:
    """How an answer is given at once."""
    return {"run_immediately": respond, "audio_response": speak}


class RTVIProtocol:
    """What the messages of one conversation mean, in order. Implements :class:`WireProtocol`.

    Attributes:
        malformed: How many texts could not be read as a message. They are logged and otherwise ignored.
    """

    waits_for_ready = True
    tells_turns = True
    words_run_ahead = False

    def __init__(self) -> None:
        self.malformed = 0
        self._transcript = _AITranscript()
        self._speaking = False
        self._thinking = False
        self._reports_thinking = False
        self._last_user_words: tuple[str, bool] | None = None

    def client_ready(self) -> str:
        """The message that opens the conversation."""
        about = {
            "library": "spike_engine",
            "library_version": metadata.version("spike-engine"),
            "platform": platform.system(),
            "platform_version": platform.release(),
        }
        return encode("client-ready", {"version": PROTOCOL_VERSION, "about": about})

    def greeting(self) -> list[str]:
        """See :meth:`WireProtocol.greeting`."""
        return [self.client_ready()]

    def message(self, kind: str, data: Any) -> tuple[str, list[str]]:
        """See :meth:`WireProtocol.message`: a ``client-message``."""
        message_id = uuid.uuid4().hex[:8]
        return message_id, [encode("client-message", {"t": kind, "d": data}, message_id)]

    def text(self, content: str, *, respond: bool, speak: bool) -> list[str]:
        """See :meth:`WireProtocol.text`: a ``send-text``."""
        return [encode("send-text", {"content": content, "options": _options(respond, speak)})]

    def picture(self, jpeg: str, size: tuple[int, int], caption: str, *, respond: bool, speak: bool) -> list[str]:
        """See :meth:`WireProtocol.picture`: a ``send-file``."""
        source = {"type": "bytes", "bytes": jpeg, "width": size[0], "height": size[1]}
        file = {"format": "image/jpeg", "name": "picture.jpg", "source": source}
        return [encode("send-file", {"content": caption, "file": file, "options": _options(respond, speak)})]

    def session(self, functions: Iterable[Function] | None, *, push_to_talk: bool) -> list[str]:
        """See :meth:`WireProtocol.session`: an RTVI bot knows its functions by itself."""
        return []

    def context(self, content: str, role: Role) -> list[str]:
        """See :meth:`WireProtocol.context`: a ``send-text``; RTVI knows no other role, so that is the application's."""
        if role_of(role) == "user":
            return self.text(content, respond=False, speak=False)
        return self.message("append-to-context", {"role": role, "content": content})[1]

    def keys(self, keys: str) -> list[str]:
        """See :meth:`WireProtocol.keys`: a ``dtmf``."""
        return [encode("dtmf", {"buttons": keys_of(keys)})]

    def talk(self, *, pressed: bool) -> list[str]:
        """See :meth:`WireProtocol.talk`: RTVI has no message for it, so it is one of the application."""
        interrupts = self.interrupt() if pressed and (self._speaking or self._thinking) else []
        return [*interrupts, *self.message("push-to-talk", {"pressed": pressed})[1]]

    def interrupt(self) -> list[str]:
        """See :meth:`WireProtocol.interrupt`: RTVI has no message for it, so it is one of the application."""
        return self.message("interrupt", None)[1]

    def function_result(self, call: FunctionCall, result: Any) -> list[str]:
        """See :meth:`WireProtocol.function_result`: an ``llm-function-call-result``."""
        data = {"function_name": call.name, "tool_call_id": call.call_id, "arguments": dict(call.arguments)}
        return [encode("llm-function-call-result", data | {"result": result})]

    def receive(self, text: str) -> list[Event]:
        """The events that `text` means; an empty list where it means none."""
        message = parse_object(text)
        if message is None:
            self.malformed += 1
            logger.warning("ignored a message that is no JSON object: %r", text[:80])
            return []
        if message.get("type") == "signalling":
            return self._signalling(message.get("message"))
        if message.get("label") != LABEL:
            return [Message(message)]
        data = message.get("data")
        if message.get("type") in ("server-message", "server-response"):
            return [_server_message(data, message)]
        return self._rtvi(text_of(message.get("type")), object_of(data))

    def _signalling(self, message: object) -> list[Event]:
        kind = object_of(message).get("type")
        return [ConversationEnded("the server ended the conversation")] if kind == "peerLeft" else []

    def _rtvi(self, kind: str, data: dict[str, Any]) -> list[Event]:
        match kind:
            case "bot-ready":
                return [Connected()]
            case "bot-llm-started":
                self._reports_thinking = True
                return self._think()
            case "bot-started-speaking":
                return self._speak()
            case "bot-stopped-speaking" | "bot-interrupted":
                return self._idle(interrupted=kind == "bot-interrupted")
            case "user-started-speaking":
                self._last_user_words = None
                return [UserStartedSpeaking()]
            case "user-stopped-speaking":
                return [UserStoppedSpeaking(), *([] if self._reports_thinking else self._think())]
            case "user-input" | "user-transcription":
                return self._user_words(data)
            case "llm-function-call-started" | "llm-function-call-in-progress" | "llm-function-call-stopped":
                return [_function_call(kind.removeprefix("llm-function-call-"), data)]
            case "error" | "error-response":
                return [_server_error(data)]
            case _ if kind in _TRANSCRIPT_SOURCES:
                return self._ai_words(kind, data)
        return []

    def _think(self) -> list[Event]:
        if self._thinking or self._speaking:
            return []
        self._thinking = True
        return [AIThinking()]

    def _speak(self) -> list[Event]:
        if self._speaking:
            return []
        self._speaking, self._thinking = True, False
        return [AISpeaking(self._transcript.text)]

    def _idle(self, *, interrupted: bool) -> list[Event]:
        if not (self._speaking or self._thinking):
            return []
        self._speaking = self._thinking = False
        self._transcript.end_turn()
        return [AIIdle(interrupted=interrupted)]

    def _ai_words(self, source: str, data: dict[str, Any]) -> list[Event]:
        grown = self._transcript.add(source, data)
        return [AISpeaking(self._transcript.text)] if grown and self._speaking else []

    def _user_words(self, data: dict[str, Any]) -> list[Event]:
        """Servers send the same words under two types: what was just said once is not said again."""
        words = (text_of(data.get("text")), data.get("final") is not False)
        if not words[0] or words == self._last_user_words:
            return []
        self._last_user_words = words
        return [UserTranscript(*words)]


class _AITranscript:
    """The words of the answer that the AI is giving, put together from the best source that the server has."""

    def __init__(self) -> None:
        self._source_rank = len(_TRANSCRIPT_SOURCES)
        self._segments: dict[str | int, str] = {}
        self._ended: deque[str | int] = deque(maxlen=MOST_ENDED)
        self._turn_ended = False

    @property
    def text(self) -> str:
        """What has been said since the last turn ended."""
        return "" if self._turn_ended else " ".join(part for part in self._segments.values() if part)

    def add(self, source: str, data: dict[str, Any]) -> bool:
        """Take in one message; True where the text has changed."""
        segment, words = _spoken_words(source, data, next_key=len(self._segments))
        rank = _TRANSCRIPT_SOURCES.index(source)
        if not words or segment in self._ended or rank > self._source_rank:
            return False
        before = self.text
        if len(before) + len(words) > MOST_CHARS:
            return False
        if self._turn_ended or rank < self._source_rank:
            self._segments = {}
        self._turn_ended, self._source_rank = False, rank
        self._segments[segment] = words
        return self.text != before

    def end_turn(self) -> None:
        """Words that still arrive for a segment of this turn are late: the next turn starts with the next segment."""
        self._ended.extend(key for key in self._segments if isinstance(key, str))
        self._turn_ended = True


def _spoken_words(source: str, data: dict[str, Any], next_key: int) -> tuple[str | int, str]:
    """The segment that a message belongs to, and its words as far as they have been spoken."""
    text = text_of(data.get("text")).strip()
    if source != "bot-output":
        return next_key, text
    progress = data.get("spoken_progress")
    if isinstance(progress, dict):
        return f"segment {str(data.get('segment_id'))[:80]}", text_of(progress.get("accumulated_text")).strip()
    spoken_word = data.get("spoken") is True and data.get("aggregated_by") == "word"  # servers before spoken_progress
    return next_key, text if spoken_word else ""


def _server_message(data: Any, message: dict[str, Any]) -> Event:
    """A ``server-message`` as it came, or a ``server-response`` with the id of what it answers."""
    fields = object_of(data)
    if message["type"] == "server-response":
        return Message(fields.get("d"), text_or_none(fields.get("t")), text_or_none(message.get("id")))
    kind = text_or_none(fields.get("type"))
    if kind == "perception":
        inner = object_of(fields.get("data")) or fields
        return Perception(text_or_none(inner.get("emotion")), text_or_none(inner.get("gesture")), fields)
    return Message(data, kind)


def _function_call(status: str, data: dict[str, Any]) -> Event:
    return FunctionCall(
        cast("Literal['started', 'in-progress', 'stopped']", status),
        text_or_none(data.get("function_name")),
        text_or_none(data.get("tool_call_id")),
        object_of(data.get("arguments")),
        data.get("result"),
        cancelled=data.get("cancelled") is True,
    )


def _server_error(data: dict[str, Any]) -> Event:
    error = data.get("error")
    texts = text_of(error), text_of(object_of(error).get("message")), text_of(data.get("message"))
    text = next(filter(None, texts), "the server reports an error without a text")
    return ConversationEnded(text) if data.get("fatal") is True else ServerError(text)
