"""What the media of a conversation tell, and what they ask."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spike_engine.errors import MediaError
from spike_engine.media.taps import TapKind

CLOSE_LIMIT_S = 3.0  # a device that takes longer to close is left to itself


class MediaListener(Protocol):
    """Hears everything on the event loop, between two blocks of sound: it must be quick."""

    def is_enabled(self, kind: str) -> bool:
        """Whether the microphone (``"audio"``) or camera (``"video"``) is sent; else silence or black pictures are."""

    def on_error(self, error: MediaError) -> None:
        """A device cannot be opened or has failed, and something else stands in for it."""

    def on_audio(self, kind: TapKind, samples: NDArray[np.float32]) -> None:
        """A block of sound passes, mono float32 at 48 kHz: as captured, as sent, or the AI's as played."""

    def on_voice(self, voice: NDArray[np.float32], *, active: bool, suspected: bool) -> None:
        """The last 20 ms of the cleaned microphone: whether the user spoke, which a muted one never does.

        `suspected` says that they may have: sooner, and wrong more often.
        """

    def on_user_level(self, level: float) -> None:
        """How loud the last 20 ms of the microphone were as they were sent, 0 to 1."""

    def on_level(self, level: float) -> None:
        """How loud the last 20 ms of the AI's voice were, 0 to 1."""
