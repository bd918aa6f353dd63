"""Turns of the AI, told from its sound alone, for servers that do not tell."""

from __future__ import annotations

from spike_engine.events import AIIdle, AISpeaking, Event

FRAME_S = 0.02
AI_LEVEL = 0.01
AI_STOPS_AFTER_S = 0.8
NOTHING, STUCK_AFTER_S = 0.001, 5.0


class AITurns:
    """Opens with the first loud frame, closes after some time of quiet ones."""

    def __init__(self) -> None:
        self._speaks = False
        self._quiet_frames = 0

    def on_level(self, level: float) -> list[Event]:
        """Take in how loud the last 20 ms of the AI were, 0 to 1."""
        self._quiet_frames = 0 if level > AI_LEVEL else self._quiet_frames + 1
        if not self._speaks and self._quiet_frames == 0:
            self._speaks = True
            return [AISpeaking()]
        if self._speaks and self._quiet_frames >= round(AI_STOPS_AFTER_S / FRAME_S):
            self._speaks = False
            return [AIIdle()]
        return []


class StuckAI:
    """Notices an AI of which the server says that it speaks, and which nobody hears.

    Some servers never tell that their AI has stopped, after an interruption for one. A program that waits for its turn
    would wait for ever.
    """

    def __init__(self) -> None:
        self._quiet_frames = 0

    def on_level(self, level: float, *, speaks: bool) -> bool:
        """Take in the same, and whether the server says that the AI speaks; True where that cannot be any more."""
        self._quiet_frames = self._quiet_frames + 1 if speaks and level <= NOTHING else 0
        return self._quiet_frames == round(STUCK_AFTER_S / FRAME_S)
