"""What has been said in a conversation, by whom, when, and how much of it was heard: decided without any clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

from spike_engine.events.types import (
    AIIdle,
    AISpeaking,
    Disconnected,
    Event,
    UserStartedSpeaking,
    UserStoppedSpeaking,
    UserTranscript,
)

MOST_TURNS = 1000
CHARS_PER_S = 15.0  # of speech, before an answer has been heard whole
_SLOWEST_CHARS_PER_S, _FASTEST_CHARS_PER_S = 5.0, 40.0


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a turn.

    Attributes:
        text: The word with its punctuation.
        at_s: When it began, in seconds of the conversation; of the user's, when it was understood.
    """

    text: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Turn:
    """What one of the two said before the other took over.

    Attributes:
        speaker: ``"ai"`` or ``"user"``.
        text: All of it, as the server transcribed it.
        words: Its words with their times.
        began_s: When, in seconds since the conversation began.
        ended_s: The same; None while it goes on.
        interrupted: The user cut it short.
        heard: As much of `text` as was heard; less than all of it only where the turn was interrupted.
        estimated: The server sends its words ahead of its voice: times and `heard` are reckoned from the AI's pace.
    """

    speaker: Literal["ai", "user"]
    text: str = ""
    words: tuple[Word, ...] = ()
    began_s: float = 0.0
    ended_s: float | None = None
    interrupted: bool = False
    heard: str = ""
    estimated: bool = False


class History:
    """Builds turns from events; the newest `MOST_TURNS` are kept."""

    def __init__(self) -> None:
        self._ended: deque[Turn] = deque(maxlen=MOST_TURNS)
        self._ai: Turn | None = None
        self._user: Turn | None = None
        self._chars_per_s = CHARS_PER_S

    @property
    def turns(self) -> tuple[Turn, ...]:
        """In the order in which they began, with those that go on."""
        going_on = [turn for turn in (self._ai, self._user) if turn]
        return tuple(sorted((*self._ended, *going_on), key=lambda turn: turn.began_s))

    def add(self, event: Event, now_s: float, *, ahead: bool = False) -> None:
        """Take in what happened at `now_s`; `ahead`: the AI's words come before its voice."""
        match event:
            case AISpeaking(transcript):
                self._ai = self._grown(self._ai or Turn("ai", began_s=now_s, estimated=ahead), transcript, now_s)
            case AIIdle(interrupted):
                self._end_ai(now_s, interrupted=interrupted)
            case UserStartedSpeaking():
                self._end_user(now_s)
                self._user = Turn("user", began_s=now_s)
            case UserStoppedSpeaking() if self._user:
                self._user = replace(self._user, ended_s=now_s)
            case UserTranscript(transcript, final):
                self._user = self._grown(self._user or Turn("user", began_s=now_s), transcript, now_s)
                if final:
                    self._end_user(now_s)
            case Disconnected():
                self._end_ai(now_s, interrupted=True)
                self._end_user(now_s)

    def _grown(self, turn: Turn, text: str, now_s: float) -> Turn:
        """`turn` with `text`: words that were there keep their times, new ones are of now, or reckoned."""
        if text == turn.text:
            return turn
        words: list[Word] = []
        chars = 0
        for index, word in enumerate(text.split()):
            before = turn.words[index] if index < len(turn.words) else None
            if turn.estimated:
                at_s = turn.began_s + chars / self._chars_per_s
            else:
                at_s = before.at_s if before and before.text == word else now_s
            words.append(Word(word, at_s))
            chars += len(word) + 1
        return replace(turn, text=text, words=tuple(words), heard=text)

    def _end_ai(self, now_s: float, *, interrupted: bool) -> None:
        turn, self._ai = self._ai, None
        if turn is None:
            return
        if turn.estimated:
            turn = self._with_what_was_heard(turn, now_s) if interrupted else turn
            self._learn_the_pace(turn, now_s)
        self._ended.append(replace(turn, ended_s=now_s, interrupted=interrupted))

    def _with_what_was_heard(self, turn: Turn, now_s: float) -> Turn:
        heard = [word.text for word in turn.words if word.at_s + len(word.text) / self._chars_per_s <= now_s]
        return replace(turn, heard=" ".join(heard))

    def _learn_the_pace(self, turn: Turn, now_s: float) -> None:
        took_s = now_s - turn.began_s
        if turn.heard == turn.text and took_s > 1.0:
            pace = len(turn.text) / took_s
            self._chars_per_s = min(_FASTEST_CHARS_PER_S, max(_SLOWEST_CHARS_PER_S, pace))

    def _end_user(self, now_s: float) -> None:
        turn, self._user = self._user, None
        if turn and turn.text:
            self._ended.append(replace(turn, ended_s=now_s if turn.ended_s is None else turn.ended_s))
