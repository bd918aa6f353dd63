"""How the server speaks: espeak-ng, which is GPL 3 and is never loaded into this process."""

from __future__ import annotations

import asyncio
import contextlib
import io
import shutil
import wave
from asyncio.subprocess import DEVNULL, PIPE
from typing import Protocol

import numpy as np

from spike_engine.extras import MissingExtra, is_installed
from spike_engine.frames import convert_samples
from spike_engine.server.local.child import Child, ChildFailed
from spike_engine.server.persona import Samples, Speech, Word
from spike_engine.server.picture.visemes import visemes_of_phonemes

VOICE = "en-us+f3"
WORDS_PER_MINUTE = 165
PITCH = 48


class Voice(Protocol):
    """Turns text into sound."""

    async def start(self) -> None:
        """Get ready."""

    async def close(self) -> None:
        """Release everything."""

    async def speak(self, text: str) -> Speech:
        """The sound of `text`.

        Raises:
            ChildFailed: espeak-ng could not do it.
        """


class EspeakWorker:
    """espeak-ng of the espeakng-loader wheel, in a process that stays: some 5 ms per sentence, with all its times."""

    def __init__(self) -> None:
        self._child = Child("espeak")

    async def start(self) -> None:
        """See :class:`Voice`."""
        await self._child.start()

    async def close(self) -> None:
        """See :class:`Voice`."""
        await self._child.close()

    async def speak(self, text: str) -> Speech:
        """See :class:`Voice`."""
        settings = {"voice": VOICE, "words_per_minute": WORDS_PER_MINUTE, "pitch": PITCH}
        reply = await self._child.ask({"text": text, **settings})
        words = [Word(start_s, min(end, len(text))) for start_s, end in reply.fields["words"]]
        visemes = list(visemes_of_phonemes(reply.fields["phonemes"]))
        return Speech(_float(reply.payload), reply.fields["sample_rate_hz"], words, visemes)


class EspeakCommand:
    """The ``espeak-ng`` command of the system, one process per sentence; it tells no times."""

    def __init__(self, command: str) -> None:
        self._command = command

    async def start(self) -> None:
        """See :class:`Voice`."""

    async def close(self) -> None:
        """See :class:`Voice`."""

    async def speak(self, text: str) -> Speech:
        """See :class:`Voice`."""
        arguments = ("--stdout", "-v", VOICE, "-s", str(WORDS_PER_MINUTE), "-p", str(PITCH))
        process = await asyncio.create_subprocess_exec(
            self._command, *arguments, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
        )
        try:
            output, _ = await process.communicate(text.encode())
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise ChildFailed(f"{self._command} ended with status {process.returncode}")
        with wave.open(io.BytesIO(output)) as sound:  # the header of a piped file claims any number of frames
            return Speech(_float(sound.readframes(len(output))), sound.getframerate())


def open_voice() -> Voice:
    """The voice that is installed.

    Raises:
        MissingExtra: Neither the wheel nor the command is.
    """
    if is_installed("espeakng_loader"):
        return EspeakWorker()
    if command := shutil.which("espeak-ng"):
        return EspeakCommand(command)
    raise MissingExtra(
        'speaking needs espeak-ng: pip install "spike-engine[demo]", or install the espeak-ng of your system',
        name="espeakng_loader",
    )


def _float(pcm: bytes) -> Samples:
    samples: Samples = convert_samples(np.frombuffer(pcm, np.int16))
    return samples
