"""What every wire protocol of a conversation does."""

from __future__ import annotations

from typing import Any, Protocol

from spike_engine.events import (
    Event,
    FunctionCall,
)


class WireProtocol(Protocol):
    """What a client says to a server and hears from it, as texts; each transport brings the one of its servers.

    What makes texts raises :class:`~spike_engine.InvalidOption` where JSON cannot hold what they would say.

    Attributes:
        waits_for_ready: The AI says when it is ready; else a connection is enough.
        tells_turns: The server says who speaks; else the client tells from the sound.
    """

    waits_for_ready: bool
    tells_turns: bool

    def greeting(self) -> list[str]:
        """What opens the conversation once the channel is open."""

    def receive(self, text: str) -> list[Event]:
        """The events that `text` means; :class:`Connected` when the AI is ready. Never raises, whatever `text` is."""

    def message(self, kind: str, data: Any) -> tuple[str, list[str]]:
        """A message of the application, as its id and what to send."""

    def text(self, content: str, *, respond: bool, speak: bool) -> list[str]:
        """What the user types instead of saying it."""

    def interrupt(self) -> list[str]:
        """Make the AI stop."""

    def function_result(self, call: FunctionCall, result: Any) -> list[str]:
        """What a function that the client carries out has returned."""
