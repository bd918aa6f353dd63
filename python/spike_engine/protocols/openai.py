"""The events of OpenAI's Realtime API over WebRTC, without any input or output of its own.

Names and fields are those of the published reference (client and server events of the ``oai-events`` channel).
"""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any

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

logger = logging.getLogger(__name__)


class OpenAIProtocol:
    """What the events of one session mean, in order. Implements :class:`~spike_engine.protocol.WireProtocol`."""

    waits_for_ready = True
    tells_turns = True

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
        return event_id, [_encode(kind, event_id=event_id, **(data if isinstance(data, dict) else {}))]

    def text(self, content: str, *, respond: bool, speak: bool) -> list[str]:
        """See :meth:`WireProtocol.text`."""
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": content}]}
        texts = [_encode("conversation.item.create", item=item)]
        if respond:
            modalities = ["audio"] if speak else ["text"]
            texts += [*self.interrupt(), _encode("response.create", response={"output_modalities": modalities})]
        return texts

    def interrupt(self) -> list[str]:
        """See :meth:`WireProtocol.interrupt`."""
        if not (self._speaking or self._thinking):
            return []
        return [_encode("response.cancel"), _encode("output_audio_buffer.clear")]

    def function_result(self, call: FunctionCall, result: Any) -> list[str]:
        """See :meth:`WireProtocol.function_result`."""
        output = result if isinstance(result, str) else json.dumps(result)
        item = {"type": "function_call_output", "call_id": call.call_id, "output": output}
        return [_encode("conversation.item.create", item=item), _encode("response.create")]

    # --- from the server ----------------------------------------------------------------------------------------------

    def receive(self, text: str) -> list[Event]:
        """See :meth:`WireProtocol.receive`; events of the API that mean nothing else are passed on as ``message``."""
        try:
            event = json.loads(text)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            logger.warning("ignored a message that is no JSON object: %.80r", text)
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
                self._heard.pop(str(event.get("item_id")), None)
                return [UserTranscript(str(event.get("transcript", "")))]
            case "error":
                return [_error(event.get("error"))]
            case kind:
                return self._response(str(kind), event)

    def _hear(self, event: dict[str, Any]) -> list[Event]:
        item = str(event.get("item_id"))
        self._heard[item] = self._heard.get(item, "") + str(event.get("delta") or "")
        return [UserTranscript(self._heard[item], final=False)]

    def _response(self, kind: str, event: dict[str, Any]) -> list[Event]:
        match kind:
            case "response.created":
                self._transcript, self._thinking = "", True
                return [] if self._speaking else [AIThinking()]
            case "response.output_audio_transcript.delta" | "response.output_text.delta":
                self._transcript += str(event.get("delta", ""))
                return [AISpeaking(self._transcript)] if self._speaking else []
            case "output_audio_buffer.started":
                self._speaking, self._thinking = True, False
                return [AISpeaking(self._transcript)]
            case "output_audio_buffer.stopped" | "output_audio_buffer.cleared":
                return self._idle(interrupted=kind.endswith("cleared"))
            case "response.done":
                return self._done(event.get("response"))
            case "response.output_item.added":
                item = event.get("item")
                if isinstance(item, dict) and item.get("type") == "function_call":
                    return [FunctionCall("started", item.get("name"), item.get("call_id"))]
                return []
            case "response.function_call_arguments.done":
                return [FunctionCall("in-progress", event.get("name"), event.get("call_id"), _arguments(event))]
        return [Message(event, kind)]

    def _done(self, response: Any) -> list[Event]:
        """The model has finished; its voice may go on for a while."""
        response = response if isinstance(response, dict) else {}
        events: list[Event] = []
        if response.get("status") == "failed":
            details = (response.get("status_details") or {}).get("error") or {}
            events.append(ServerError(str(details.get("message") or details.get("code") or "the answer failed")))
        if self._thinking and not self._speaking:  # an answer without a voice: text, or the use of a function
            events += self._idle(interrupted=response.get("status") == "cancelled")
        return events

    def _idle(self, *, interrupted: bool) -> list[Event]:
        was_active = self._speaking or self._thinking
        self._speaking = self._thinking = False
        return [AIIdle(interrupted=interrupted)] if was_active else []


def _encode(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"))


def _arguments(event: dict[str, Any]) -> dict[str, Any]:
    try:
        arguments = json.loads(str(event.get("arguments")))
    except ValueError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _error(error: Any) -> Event:
    fields = error if isinstance(error, dict) else {}
    text = str(fields.get("message") or "the server reports an error without a text")
    return ConversationEnded(text) if fields.get("code") == "session_expired" else ServerError(text)
