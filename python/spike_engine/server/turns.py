"""Turn-taking: where in the user's sound a turn begins and where it is over."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

WINDOW_SAMPLES = 512  # silero's window at 16 kHz
WINDOW_MS = 32


@dataclass(frozen=True, slots=True)
class TurnConfig:
    """When sound is a turn of the user.

    Attributes:
        threshold: Voice probability from which a window counts as speech.
        release: Probability below which it counts as silence; between the two nothing changes.
        suspect_ms: So much speech may be the beginning of one: the AI pauses until that is sure.
        min_speech_ms: So much speech makes a turn. Shorter sounds, such as an echo that slipped through, do not.
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
    """Cuts a stream of sound (mono, 16 kHz) into turns, given the voice probability of each window of 32 ms."""

    def __init__(self, voice_probability: Callable[[Samples], float], config: TurnConfig | None = None) -> None:
        config = config or TurnConfig()
        self._voice_probability = voice_probability
        self._config = config
        self._recent: deque[Samples] = deque(maxlen=(config.pre_roll_ms + config.min_speech_ms) // WINDOW_MS + 1)
        self._rest: Samples = np.zeros(0, np.float32)
        self._speaking = False
        self._speech_ms = 0
        self._silence_ms = 0
        self._doubt_ms = 0

    @property
    def suspects(self) -> bool:
        """Whether the user may have begun to speak, and it is too early to tell."""
        lasts = self._doubt_ms <= self._config.min_speech_ms / 2
        return not self._speaking and lasts and self._speech_ms >= self._config.suspect_ms

    def process(self, samples: Samples) -> Iterator[TurnEvent]:
        """Yield what happened in `samples`, of any length."""
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) // WINDOW_SAMPLES * WINDOW_SAMPLES
        self._rest = samples[whole:]
        for start in range(0, whole, WINDOW_SAMPLES):
            yield from self._window(samples[start : start + WINDOW_SAMPLES])

    def _window(self, window: Samples) -> Iterator[TurnEvent]:
        self._count(self._voice_probability(window))
        self._recent.append(window)
        if self._speaking:
            yield SpeechContinued(window)
            if self._silence_ms >= self._config.end_silence_ms:
                self._speaking, self._speech_ms = False, 0
                self._recent.clear()
                yield SpeechEnded()
        elif self._speech_ms >= self._config.min_speech_ms:
            self._speaking = True
            yield SpeechStarted(np.concatenate(self._recent))

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
