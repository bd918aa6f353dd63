"""What every wire protocol of a conversation does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Protocol

from spike_engine.errors import InvalidOption
from spike_engine.events import (
    Event,
    FunctionCall,
)
from spike_engine.protocols.functions import Function

Role = Literal["user", "system"]
_KEYS = "0123456789*#"


def keys_of(text: object) -> list[str]:
    """The keys of a telephone in `text`.

    Raises:
        InvalidOption: It is no string of them.
    """
    if not isinstance(text, str) or not text or set(text) - set(_KEYS):
        raise InvalidOption(f"keys are some of {_KEYS}, not {text!r:.80}")
    return list(text)


def role_of(role: object) -> str:
    """`role`, if it is one.

    Raises:
        InvalidOption: It is none.
    """
    if role not in ("user", "system"):
        raise InvalidOption(f"role must be 'user' or 'system', not {role!r:.80}")
    return str(role)


class WireProtocol(Protocol):
    """What a client says to a server and hears from it, as texts; each transport brings the one of its servers.

    What makes texts raises :class:`~spike_engine.InvalidOption` where JSON cannot hold what they would say.

    Attributes:
        waits_for_ready: The AI says when it is ready; else a connection is enough.
        tells_turns: The server says who speaks; else the client tells from the sound.
        words_run_ahead: The AI's words come before its voice, not with it.
    """

    waits_for_ready: bool
    tells_turns: bool
    words_run_ahead: bool

    def greeting(self) -> list[str]:
        """What opens the conversation once the channel is open."""

    def receive(self, text: str) -> list[Event]:
        """The events that `text` means; :class:`Connected` when the AI is ready. Never raises, whatever `text` is."""

    def message(self, kind: str, data: Any) -> tuple[str, list[str]]:
        """A message of the application, as its id and what to send."""

    def text(self, content: str, *, respond: bool, speak: bool) -> list[str]:
        """What the user types instead of saying it."""

    def picture(self, jpeg: str, size: tuple[int, int], caption: str, *, respond: bool, speak: bool) -> list[str]:
        """What the user shows: a JPEG in base64, its width and height, and what is said of it."""

    def session(self, functions: Iterable[Function] | None, *, push_to_talk: bool) -> list[str]:
        """What the server must know of the program: its functions, None leaving them as they are, and its button."""

    def context(self, content: str, role: Role) -> list[str]:
        """What the AI shall know without answering."""

    def keys(self, keys: str) -> list[str]:
        """Keys of a telephone that the user presses; InvalidOption unless they are some of ``0-9*#``."""

    def talk(self, *, pressed: bool) -> list[str]:
        """The user presses the button to talk, or lets go."""

    def interrupt(self) -> list[str]:
        """Make the AI stop."""

    def function_result(self, call: FunctionCall, result: Any) -> list[str]:
        """What a function that the client carries out has returned."""
