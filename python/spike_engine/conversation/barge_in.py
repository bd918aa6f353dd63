"""What becomes of the AI's voice when the user talks over it."""

from __future__ import annotations

from spike_engine.media.playback import Playback


class BargeIn:
    """Silences the AI when the user talks over it: the AI is not heard while the server makes up its mind.

    Args:
        playback: The loudspeaker.
        holds: The user was noticed here and perhaps not yet by the server, whose AI speaks on: do not play it until
            the server has stopped it or the user has fallen silent.
    """

    def __init__(self, playback: Playback, *, holds: bool) -> None:
        self._playback = playback
        self._holds = holds

    @property
    def held(self) -> bool:
        """Nobody hears what the AI says now."""
        return self._playback.held

    def suspect(self, suspected: bool) -> None:
        """The user may have begun to talk over the AI, which waits for as long as that is not known."""
        self._playback.paused = suspected

    def begin(self) -> None:
        """The user has begun to talk over the AI."""
        self._playback.flush()
        self._playback.held = self._holds
        self._playback.paused = False

    def silence(self) -> None:
        """Nothing more of what the AI has said up to now."""
        self._playback.flush()

    def end(self) -> None:
        """Let the AI be heard again."""
        self._playback.held = self._playback.paused = False
