"""The events of OpenAI's Realtime API over WebRTC, without any input or output of its own.

Names and fields are those of the published reference (client and server events of the ``oai-events`` channel).
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from typing import Any, Literal

from spike_engine.errors import ConversationEnded, ServerError
from spike_engine.events import (
    AIIdle,
    AISpeaking,
    AIThinking,
    Connected,
    Event,
    FunctionCall,
    Message,
    UserStartedSpeaking,
    UserStoppedSpeaking,
    UserTranscript,
)
from spike_engine.protocols.base import Role, keys_of, role_of
from spike_engine.protocols.functions import Function
from spike_engine.protocols.strict_json import object_of, parse_object, text_of, text_or_none, write

logger = logging.getLogger(__name__)

# What a server can make us hold: pieces of speech that are never completed, and a transcript without end.
MOST_ITEMS = 100
MOST_CHARS = 100_000


class OpenAIProtocol:
    """What the events of one session mean, in order. Implements :class:`~spike_engine.protocol.WireProtocol`."""

    waits_for_ready = True
    tells_turns = True
    words_run_ahead = True

    def __init__(self) -> None:
        self._transcript = ""
        self._speaking = False
        self._thinking = False
        self._heard: dict[str, str] = {}  # what is understood so far of each item of the user's

    # --- to the server ------------------------------------------------------------------------------------------------

    def greeting(self) -> list[str]:
        """See :meth:`WireProtocol.greeting`: the server speaks first."""
        return []

    def message(self, kind: str, data: Any) -> tuple[str, list[str]]:
        """See :meth:`WireProtocol.message`: any client event of the API, such as ``session.update``."""
        event_id = f"event_{uuid.uuid4().hex[:12]}"
        return event_id, [write({**object_of(data), "type": kind, "event_id": event_id})]

    def text(self, content: str, *, respond: bool, speak: bool) -> list[str]:
        """See :meth:`WireProtocol.text`."""
        return [*self.context(content, "user"), *self._asked(respond, speak)]

    def picture(self, jpeg: str, size: tuple[int, int], caption: str, *, respond: bool, speak: bool) -> list[str]:
        """See :meth:`WireProtocol.picture`: an item with the picture in its address."""
        content = [{"type": "input_image", "image_url": f"data:image/jpeg;base64,{jpeg}"}]
        if caption:
            content.append({"type": "input_text", "text": caption})
        item = {"type": "message", "role": "user", "content": content}
        return [_encode("conversation.item.create", item=item), *self._asked(respond, speak)]

    def _asked(self, respond: bool, speak: bool) -> list[str]:
        if not respond:
            return []
        modalities = ["audio"] if speak else ["text"]
        return [*self.interrupt(), _encode("response.create", response={"output_modalities": modalities})]

    def session(self, functions: Iterable[Function] | None, *, push_to_talk: bool) -> list[str]:
        """See :meth:`WireProtocol.session`: a ``session.update``, where there is something to say."""
        fields: dict[str, Any] = {}
        if functions is not None:
            fields["tools"] = [
                {"type": "function", "name": each.name, "description": each.description, "parameters": each.schema()}
                for each in functions
            ]
        if push_to_talk:
            fields["audio"] = {"input": {"turn_detection": None}}
        return [_encode("session.update", session={"type": "realtime", **fields})] if fields else []

    def context(self, content: str, role: Role) -> list[str]:
        """See :meth:`WireProtocol.context`."""
        item = {"type": "message", "role": role_of(role), "content": [{"type": "input_text", "text": content}]}
        return [_encode("conversation.item.create", item=item)]

    def keys(self, keys: str) -> list[str]:
        """See :meth:`WireProtocol.keys`: the API takes keys of telephone calls only, so the AI reads them."""
        return self.text(f"DTMF: {''.join(keys_of(keys))}", respond=True, speak=True)

    def talk(self, *, pressed: bool) -> list[str]:
        """See :meth:`WireProtocol.talk`."""
        if pressed:
            return [*self.interrupt(), _encode("input_audio_buffer.clear")]
        return [_encode("input_audio_buffer.commit"), _encode("response.create")]

    def interrupt(self) -> list[str]:
        """See :meth:`WireProtocol.interrupt`."""
        if not (self._speaking or self._thinking):
            return []
        return [_encode("response.cancel"), _encode("output_audio_buffer.clear")]

    def function_result(self, call: FunctionCall, result: Any) -> list[str]:
        """See :meth:`WireProtocol.function_result`."""
        output = result if isinstance(result, str) else write(result)
        item = {"type": "function_call_output", "call_id": call.call_id, "output": output}
        return [_encode("conversation.item.create", item=item), _encode("response.create")]

    # --- from the server ----------------------------------------------------------------------------------------------

    def receive(self, text: str) -> list[Event]:
        """See :meth:`WireProtocol.receive`; events of the API that mean nothing else are passed on as ``message``."""
        event = parse_object(text)
        if event is None:
            logger.warning("ignored a message that is no JSON object: %r", text[:80])
            return []
        match event.get("type"):
            case "session.created":
                return [Connected()]
            case "input_audio_buffer.speech_started":
                return [UserStartedSpeaking()]
            case "input_audio_buffer.speech_stopped":
                return [UserStoppedSpeaking()]
            case "conversation.item.input_audio_transcription.delta":
                return self._hear(event)
            case "conversation.item.input_audio_transcription.completed":
                self._heard.pop(text_of(event.get("item_id")), None)
                return [UserTranscript(text_of(event.get("transcript")))]
            case "error":
                return [_error(event.get("error"))]
            case kind:
                return self._response(text_or_none(kind), event)

    def _hear(self, event: dict[str, Any]) -> list[Event]:
        item = text_of(event.get("item_id"))
        self._heard[item] = _longer(self._heard.pop(item, ""), event)
        if len(self._heard) > MOST_ITEMS:
            del self._heard[next(iter(self._heard))]
        return [UserTranscript(self._heard[item], final=False)]

    def _response(self, kind: str | None, event: dict[str, Any]) -> list[Event]:
        match kind:
            case "response.created":
                self._transcript, self._thinking = "", True
                return [] if self._speaking else [AIThinking()]
            case "response.output_audio_transcript.delta" | "response.output_text.delta":
                self._transcript = _longer(self._transcript, event)
                return [AISpeaking(self._transcript)] if self._speaking else []
            case "output_audio_buffer.started":
                self._speaking, self._thinking = True, False
                return [AISpeaking(self._transcript)]
            case "output_audio_buffer.stopped" | "output_audio_buffer.cleared":
                return self._idle(interrupted=kind.endswith("cleared"))
            case "response.done":
                return self._done(event.get("response"))
            case "response.output_item.added":
                item = object_of(event.get("item"))
                return [_call("started", item)] if item.get("type") == "function_call" else []
            case "response.function_call_arguments.done":
                return [_call("in-progress", event)]
        return [Message(event, kind)]

    def _done(self, response: Any) -> list[Event]:
        """The model has finished; its voice may go on for a while."""
        response = object_of(response)
        events: list[Event] = []
        if response.get("status") == "failed":
            details = object_of(object_of(response.get("status_details")).get("error"))
            texts = text_of(details.get("message")), text_of(details.get("code"))
            events.append(ServerError(next(filter(None, texts), "the answer failed")))
        if self._thinking and not self._speaking:  # an answer without a voice: text, or the use of a function
            events += self._idle(interrupted=response.get("status") == "cancelled")
        return events

    def _idle(self, *, interrupted: bool) -> list[Event]:
        was_active = self._speaking or self._thinking
        self._speaking = self._thinking = False
        return [AIIdle(interrupted=interrupted)] if was_active else []


def _encode(kind: str, **fields: Any) -> str:
    return write({"type": kind, **fields})


def _longer(words: str, event: dict[str, Any]) -> str:
    return (words + text_of(event.get("delta")))[:MOST_CHARS]


def _call(status: Literal["started", "in-progress"], fields: dict[str, Any]) -> Event:
    arguments = parse_object(text_of(fields.get("arguments"))) or {}
    return FunctionCall(status, text_or_none(fields.get("name")), text_or_none(fields.get("call_id")), arguments)


def _error(error: Any) -> Event:
    fields = object_of(error)
    text = text_of(fields.get("message")) or "the server reports an error without a text"
    return ConversationEnded(text) if fields.get("code") == "session_expired" else ServerError(text)
