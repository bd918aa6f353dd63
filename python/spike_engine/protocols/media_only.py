"""A conversation without messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from spike_engine.errors import InvalidState
from spike_engine.events import (
    Event,
    FunctionCall,
)
from spike_engine.protocols.base import Role
from spike_engine.protocols.functions import Function


class MediaOnlyProtocol:
    """A conversation without messages. Implements :class:`WireProtocol`."""

    waits_for_ready = False
    tells_turns = False
    words_run_ahead = False

    def greeting(self) -> list[str]:
        """See :meth:`WireProtocol.greeting`."""
        return []

    def receive(self, text: str) -> list[Event]:
        """See :meth:`WireProtocol.receive`."""
        return []

    def message(self, kind: str, data: Any) -> tuple[str, list[str]]:
        """There is no channel for it."""
        raise InvalidState("this conversation carries sound and pictures, and no messages")

    def text(self, content: str, *, respond: bool, speak: bool) -> list[str]:
        """There is no channel for it."""
        return self.message("text", content)[1]

    def picture(self, jpeg: str, size: tuple[int, int], caption: str, *, respond: bool, speak: bool) -> list[str]:
        """There is no channel for it."""
        return self.message("picture", caption)[1]

    def session(self, functions: Iterable[Function] | None, *, push_to_talk: bool) -> list[str]:
        """Nobody can be told."""
        return []

    def context(self, content: str, role: Role) -> list[str]:
        """There is no channel for it."""
        return self.message("context", content)[1]

    def keys(self, keys: str) -> list[str]:
        """There is no channel for it."""
        return self.message("keys", keys)[1]

    def talk(self, *, pressed: bool) -> list[str]:
        """Only the sound tells: it is silent while the button is up."""
        return []

    def interrupt(self) -> list[str]:
        """Only what is heard here can be silenced."""
        return []

    def function_result(self, call: FunctionCall, result: Any) -> list[str]:
        """There is no channel for it."""
        return self.message("result", result)[1]
