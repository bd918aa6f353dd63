"""Whose turn it is: hold and resume, nod or interruption, the end of a turn. It knows no clock: frames are its time."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum, auto
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spike_engine.duplex.voice_shape import RATE_HZ, is_interruption
from spike_engine.events import UserStartedSpeaking, UserStoppedSpeaking
from spike_engine.lifetime.threads import in_thread

logger = logging.getLogger(__name__)

Judge: TypeAlias = Callable[[NDArray[np.float32]], float]
"""Takes cleaned voice at 16 kHz, mono, and returns a probability."""

HOLDS_AFTER_S = 0.04  # shorter is a click
STARTS_AFTER_S = 0.06  # where nothing is held
BEFORE_S = 0.25  # what a judge hears of the time before that
JUDGED_FROM_S, JUDGED_EVERY_S = 0.2, 0.06  # once there is something to judge
HELD_AT_MOST_S = 0.5  # most nods, coughs and doors are over by then
# How sure a judge must be of a sound that goes on: after so long, that much. Nobody who goes on is ignored for ever.
# Early it need not be: the loudspeaker is held anyway.
SURE_AFTER_S, SURE = (0.2, 0.44, 0.5, 0.8, 1.2, 3.0), (0.98, 0.95, 0.75, 0.65, 0.5, 0.0)
SURE_WHEN_OVER = 0.65
OVER_AFTER_S = 0.18  # a pause within a word is shorter
INSISTS_WITHIN_S = 1.5  # sounds that follow each other so soon are judged together
STOPS_AFTER_S = 0.7  # people pause for breath and thought
ASKED_AFTER_S = 0.2  # a judge of the turn's end is heard after so long a pause
STOPS_ANYWAY_S = 2.0  # and is not believed any more after so long
KEPT_S = 8.0  # what it hears


class Floor(Enum):
    """What becomes of the loudspeaker while it is not known yet whether the user takes the floor."""

    HOLD = auto()
    RESUME = auto()


Outcome: TypeAlias = Floor | UserStartedSpeaking | UserStoppedSpeaking


class _Phase(Enum):
    SILENT = auto()
    SUSPECTED = auto()  # held
    DOUBTED = auto()  # resumed, though the sound goes on
    TALKING = auto()


class TurnTaking:
    """Tells from the cleaned microphone when the user takes the floor and when they have finished.

    While the AI is not heard, 60 ms of voice are a turn. While it is, 40 ms of what may be voice hold the loudspeaker,
    and `takes_floor` judges the sound every 60 ms and when it is over. It is a turn as soon as that is sure. If it is
    over, or has lasted half a second, and is none, the loudspeaker goes on. The longer a voice lasts, the less sure
    that must be.

    Args:
        holds: False takes every voice for a turn at once.
        takes_floor: Judges a sound from 0.25 s before it on; within some milliseconds, on the thread that calls.
        end_of_turn: Judges up to 8 s of voice after each short pause, in a thread of its own: whether the user has
            finished. Without, a pause of 0.7 s is the end.
    """

    def __init__(
        self, *, holds: bool = True, takes_floor: Judge = is_interruption, end_of_turn: Judge | None = None
    ) -> None:
        self._holds, self._takes_floor, self._end_of_turn = holds, takes_floor, end_of_turn
        self._phase = _Phase.SILENT
        self._heard: deque[NDArray[np.float32]] = deque()
        self._heard_samples = 0
        self._sounding_s = self._talking_s = self._quiet_s = self._inactive_s = self._since_s = self._judged_next_s = (
            0.0
        )
        self._first_s = INSISTS_WITHIN_S  # since the first of several sounds
        self._asking: Future[float] | None = None

    @property
    def sounding_for_s(self) -> float:
        """How long ago the sound began that is judged, or the first of several that follow each other."""
        return max(self._since_s, self._first_s)

    def on_frame(self, voice: NDArray[np.float32], *, active: bool, suspected: bool, ai_heard: bool) -> list[Outcome]:
        """Take in one frame of the cleaned microphone.

        Args:
            voice: At 16 kHz, of 10 or 20 ms.
            active: The voice detector's word: the user talks; the own loudspeaker does not count.
            suspected: The user may talk in this very frame: told sooner, and wrong more often.
            ai_heard: The loudspeaker plays the AI, or is held while it does.
        """
        self._keep(voice)
        frame_s = len(voice) / RATE_HZ
        self._sounding_s = self._sounding_s + frame_s if suspected else 0.0
        self._talking_s = self._talking_s + frame_s if suspected and active else 0.0
        self._quiet_s = 0.0 if suspected else self._quiet_s + frame_s
        self._inactive_s = 0.0 if active else self._inactive_s + frame_s
        self._since_s += frame_s
        self._first_s += frame_s
        match self._phase:
            case _Phase.SILENT:
                return self._silent(ai_heard)
            case _Phase.SUSPECTED:
                return self._suspected()
            case _Phase.DOUBTED:
                return self._doubted()
            case _Phase.TALKING:
                return self._talking()

    def _silent(self, ai_heard: bool) -> list[Outcome]:
        holds = self._holds and ai_heard
        if self._sounding_s < HOLDS_AFTER_S - 1e-6 or not (holds or self._talking_s >= STARTS_AFTER_S - 1e-6):
            return []
        self._since_s = self._sounding_s
        if self._first_s > INSISTS_WITHIN_S:
            self._first_s = self._sounding_s
        if not holds:
            return self._start()
        self._judged_next_s = JUDGED_FROM_S
        self._phase = _Phase.SUSPECTED
        return [Floor.HOLD]

    def _suspected(self) -> list[Outcome]:
        if self._is_judged_a_turn():
            return self._start()
        is_over = self._quiet_s >= OVER_AFTER_S
        if not is_over and self._since_s < HELD_AT_MOST_S - 1e-6:
            return []
        self._phase = _Phase.SILENT if is_over else _Phase.DOUBTED
        return [Floor.RESUME]

    def _doubted(self) -> list[Outcome]:
        if self._is_judged_a_turn():
            return [Floor.HOLD, *self._start()]
        if self._quiet_s >= OVER_AFTER_S:
            self._phase = _Phase.SILENT
        return []

    def _is_judged_a_turn(self) -> bool:
        """Asks the judge now and then, and when the sound is over."""
        is_over = self._quiet_s >= OVER_AFTER_S
        if not is_over and self._since_s < self._judged_next_s - 1e-6:
            return False
        self._judged_next_s = self._since_s + JUDGED_EVERY_S
        heard = self._last(self.sounding_for_s + BEFORE_S)
        needed = SURE_WHEN_OVER if is_over else float(np.interp(self._since_s, SURE_AFTER_S, SURE))
        return _asked(self._takes_floor, heard, otherwise=1.0) >= needed

    def _start(self) -> list[Outcome]:
        self._phase = _Phase.TALKING
        return [UserStartedSpeaking()]

    def _talking(self) -> list[Outcome]:
        if self._end_of_turn is None:
            return self._stop() if self._inactive_s >= STOPS_AFTER_S else []
        if self._quiet_s < ASKED_AFTER_S:
            self._asking = None  # the user went on: whatever is said of that pause is of no use
            return []
        if self._asking is None:
            self._asking = in_thread(
                partial(_asked, self._end_of_turn, self._last(KEPT_S), otherwise=0.0), name="end of turn"
            )
        done = self._asking.done() and self._asking.result() >= 0.5
        return self._stop() if done or self._quiet_s >= STOPS_ANYWAY_S else []

    def _stop(self) -> list[Outcome]:
        self._phase, self._asking = _Phase.SILENT, None
        return [UserStoppedSpeaking()]

    def _keep(self, voice: NDArray[np.float32]) -> None:
        self._heard.append(np.array(voice, np.float32))
        self._heard_samples += len(voice)
        while self._heard_samples - len(self._heard[0]) >= KEPT_S * RATE_HZ:
            self._heard_samples -= len(self._heard.popleft())

    def _last(self, seconds: float) -> NDArray[np.float32]:
        return np.concatenate(self._heard)[-round(seconds * RATE_HZ) :]


def _asked(judge: Judge, voice: NDArray[np.float32], *, otherwise: float) -> float:
    """What `judge` says, or `otherwise` where it raises."""
    try:
        return float(judge(voice))
    except Exception:
        logger.exception("%r raised: it is left out of this turn", judge)
        return otherwise
