"""Who speaks, told from the sound alone, for servers that do not tell."""

from __future__ import annotations

from spike_engine.events import AIIdle, AISpeaking, Event, UserStartedSpeaking, UserStoppedSpeaking

FRAME_S = 0.02
USER_STARTS_AFTER_S = 0.06  # shorter is a click
USER_STOPS_AFTER_S = 0.7  # people pause for breath and thought
AI_LEVEL = 0.01
AI_STOPS_AFTER_S = 0.8


class LocalTurns:
    """Turns of the user, from the voice detector on the cleaned microphone, and of the AI, from how loud it is."""

    def __init__(self) -> None:
        self._user = _Gate(USER_STARTS_AFTER_S, USER_STOPS_AFTER_S)
        self._ai = _Gate(FRAME_S, AI_STOPS_AFTER_S)

    def on_voice(self, active: bool) -> list[Event]:
        """Take in whether the microphone of the last 20 ms holds the user's voice; never the AI's."""
        return [UserStartedSpeaking() if self._user.on else UserStoppedSpeaking()] if self._user.pass_on(active) else []

    def on_ai_level(self, level: float) -> list[Event]:
        """Take in how loud the last 20 ms of the AI were, 0 to 1."""
        return [AISpeaking() if self._ai.on else AIIdle()] if self._ai.pass_on(level > AI_LEVEL) else []


class _Gate:
    """Opens after some time of yes in a row, closes after some time of no."""

    def __init__(self, opens_after_s: float, closes_after_s: float) -> None:
        self.on = False
        self._frames_to_open = round(opens_after_s / FRAME_S)
        self._frames_to_close = round(closes_after_s / FRAME_S)
        self._against = 0

    def pass_on(self, value: bool) -> bool:
        """Whether it opened or closed with this frame."""
        self._against = self._against + 1 if value != self.on else 0
        if self._against < (self._frames_to_close if self.on else self._frames_to_open):
            return False
        self.on, self._against = not self.on, 0
        return True
