"""Turn-taking: where in the user's sound a turn begins and where it is over."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spike_engine.duplex.turn_taking import Floor, Judge, TurnTaking
from spike_engine.duplex.voice_shape import is_interruption
from spike_engine.events import UserStartedSpeaking

Samples = NDArray[np.float32]

WINDOW_SAMPLES = 512  # silero's window at 16 kHz
WINDOW_MS = 32
JUDGED_MS = 5000  # of a sound that is judged for long, so much belongs to the turn


@dataclass(frozen=True, slots=True)
class TurnConfig:
    """When sound is a turn of the user.

    Attributes:
        threshold: Voice probability from which a window counts as speech.
        release: Probability below which it counts as silence; between the two nothing changes.
        suspect_ms: So much speech may be the beginning of one: the AI pauses until that is sure.
        min_speech_ms: So much speech makes a turn while the AI is silent; shorter sounds do not.
        end_silence_ms: So much silence ends it.
        pre_roll_ms: Sound from before the first speech that belongs to the turn, so that neither a consonant is lost
            nor a short word with a pause behind it.
    """

    threshold: float = 0.5
    release: float = 0.35
    suspect_ms: int = 64
    min_speech_ms: int = 200
    end_silence_ms: int = 350
    pre_roll_ms: int = 600


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The user began to speak; `samples` holds the sound so far."""

    samples: Samples


@dataclass(frozen=True, slots=True)
class SpeechContinued:
    """More sound of the same turn."""

    samples: Samples


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The turn is over."""


TurnEvent = SpeechStarted | SpeechContinued | SpeechEnded


class Utterance(AsyncIterator[Samples]):
    """The sound of one turn, to be read while it still grows."""

    def __init__(self, samples: Samples) -> None:
        self._blocks: asyncio.Queue[Samples | None] = asyncio.Queue()
        self._blocks.put_nowait(samples)

    def put(self, samples: Samples) -> None:
        """Append sound."""
        self._blocks.put_nowait(samples)

    def end(self) -> None:
        """Say that no more will come."""
        self._blocks.put_nowait(None)

    async def __anext__(self) -> Samples:
        block = await self._blocks.get()
        if block is None:
            self.end()  # a second reader ends as well
            raise StopAsyncIteration
        return block


class TurnDetector:
    """Cuts a stream of sound (mono, 16 kHz) into turns, given the voice probability of each window of 32 ms.

    While the AI is heard, a voice that lasts is not enough: `takes_floor` judges it as :class:`TurnTaking` has it, so
    that neither a cough nor a nod nor a door ends what the AI says.
    """

    def __init__(
        self,
        voice_probability: Callable[[Samples], float],
        config: TurnConfig | None = None,
        *,
        takes_floor: Judge = is_interruption,
    ) -> None:
        config = config or TurnConfig()
        self._voice_probability, self._takes_floor, self._config = voice_probability, takes_floor, config
        self._recent: deque[Samples] = deque(maxlen=(config.pre_roll_ms + JUDGED_MS) // WINDOW_MS)
        self._rest: Samples = np.zeros(0, np.float32)
        self._speaking = self._held = self._ai_heard = False
        self._floor = TurnTaking(takes_floor=takes_floor)
        self._speech_ms = 0
        self._silence_ms = 0
        self._doubt_ms = 0

    @property
    def suspects(self) -> bool:
        """Whether the user may have begun to speak, and it is too early to tell."""
        if self._ai_heard:
            return self._held
        lasts = self._doubt_ms <= self._config.min_speech_ms / 2
        return not self._speaking and lasts and self._speech_ms >= self._config.suspect_ms

    def process(self, samples: Samples, *, ai_heard: bool = False) -> Iterator[TurnEvent]:
        """Yield what happened in `samples`, of any length; `ai_heard` while the AI speaks, or is held while it does."""
        self._ai_heard = ai_heard
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) // WINDOW_SAMPLES * WINDOW_SAMPLES
        self._rest = samples[whole:]
        for start in range(0, whole, WINDOW_SAMPLES):
            yield from self._window(samples[start : start + WINDOW_SAMPLES])

    def _window(self, window: Samples) -> Iterator[TurnEvent]:
        probability = self._voice_probability(window)
        self._count(probability)
        self._recent.append(window)
        if self._speaking:
            yield SpeechContinued(window)
            if self._silence_ms >= self._config.end_silence_ms:
                self._speaking, self._speech_ms = False, 0
                self._recent.clear()
                yield SpeechEnded()
        elif sounding_ms := self._begins(window, loud=probability >= self._config.threshold):
            self._speaking, self._held = True, False
            self._floor = TurnTaking(takes_floor=self._takes_floor)
            kept = (self._config.pre_roll_ms + sounding_ms) // WINDOW_MS + 1
            yield SpeechStarted(np.concatenate([*self._recent][-kept:]))

    def _begins(self, window: Samples, *, loud: bool) -> int:
        """For how many ms the user has spoken where this window makes it a turn; or else 0."""
        loud &= self._ai_heard
        for outcome in self._floor.on_frame(window, active=loud, suspected=loud, ai_heard=self._ai_heard):
            if isinstance(outcome, UserStartedSpeaking):
                return round(1000 * self._floor.sounding_for_s)
            self._held = outcome is Floor.HOLD
        is_turn = not self._ai_heard and self._speech_ms >= self._config.min_speech_ms
        return self._config.min_speech_ms if is_turn else 0

    def _count(self, probability: float) -> None:
        self._doubt_ms = 0 if probability >= self._config.threshold else self._doubt_ms + WINDOW_MS
        if probability >= self._config.threshold:
            self._speech_ms += WINDOW_MS
            self._silence_ms = 0
        elif probability < self._config.release:
            self._silence_ms += WINDOW_MS
            # Between syllables speech falls silent for a moment: that does not make the next one a new beginning.
            if self._silence_ms > self._config.min_speech_ms / 2:
                self._speech_ms = 0
