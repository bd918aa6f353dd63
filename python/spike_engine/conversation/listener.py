"""What a conversation tells its client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spike_engine.events import Event
from spike_engine.events.state import ConversationState
from spike_engine.media.taps import TapKind
from spike_engine.protocols.functions import Function


class ConversationListener(Protocol):
    """Hears everything on the event loop, and knows the one true state of the conversation."""

    @property
    def functions(self) -> Mapping[str, Function]:
        """What the AI may call, by name."""

    @property
    def state(self) -> ConversationState:
        """What has been told so far, and what the user has muted."""

    @property
    def watches_user_level(self) -> bool:
        """Somebody wants to hear how loud the user is."""

    def emit(self, event: Event) -> None:
        """Something happens."""

    def on_track(self, track: Any) -> None:
        """The AI's voice or picture, an aiortc track, from now to the end; told again for each connection."""

    def on_audio(self, kind: TapKind, samples: NDArray[np.float32]) -> None:
        """See :meth:`~spike_engine.media.listener.MediaListener.on_audio`."""

    def on_over(self) -> None:
        """Everything is closed; the event that says so follows."""
