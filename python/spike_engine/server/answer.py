"""One answer of the AI: thought, spoken and reported to the client word by word as its sound is sent."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol

from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.lifetime import no_cancellation_by
from spike_engine.server.persona import Persona, Speech, Word
from spike_engine.server.picture.avatar import Avatar
from spike_engine.server.picture.visemes import visemes_of_sound
from spike_engine.server.tracks import VoiceTrack, at_opus_rate
from spike_engine.sources.audio import mono_float32

logger = logging.getLogger(__name__)

SENTENCES_AHEAD = 2


class Send(Protocol):
    """Sends one RTVI message to the client."""

    def __call__(self, message_type: str, data: dict[str, Any] | None = None) -> None:
        """Send the message, or lose it where nobody is connected."""


class Answer:
    """Runs ``think`` and ``speak`` of a persona one sentence ahead of the voice.

    Attributes:
        said: What has really been said so far.
        speaking: Whether sound of this answer is being sent.
    """

    _segment_ids = itertools.count(1)

    def __init__(self, persona: Persona, voice: VoiceTrack, avatar: Avatar, send: Send) -> None:
        self.said = ""
        self.speaking = False
        self._over = False
        self._persona = persona
        self._voice = voice
        self._avatar = avatar
        self._send = send

    async def run(self, thoughts: AsyncIterator[str]) -> None:
        """Say the sentences of `thoughts`, until the last word has been sent; what the persona raises comes out."""
        sentences: asyncio.Queue[tuple[str, Speech] | None] = asyncio.Queue(SENTENCES_AHEAD)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._prepare(thoughts, sentences))
                group.create_task(self._deliver(sentences))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._finish()

    def interrupt(self) -> None:
        """Fall silent at once and tell the client; the task of `run` is cancelled by who started it."""
        self._voice.cut()
        if not self._over:
            self._send("bot-interrupted")
        self._finish(interrupted=True)

    def _finish(self, *, interrupted: bool = False) -> None:
        if self._over:
            return
        self._over = True
        self.speaking = self._avatar.thinking = False
        self._send("bot-stopped-speaking")  # also where nothing was said: the client must not wait for ever
        try:
            self._persona.said(self.said, interrupted=interrupted)
        except (Exception, asyncio.CancelledError):
            logger.exception("said() of the persona raised")

    async def _prepare(self, thoughts: AsyncIterator[str], sentences: asyncio.Queue[tuple[str, Speech] | None]) -> None:
        self._send("bot-llm-started")
        self._avatar.thinking = True
        spoken = False
        with no_cancellation_by("the persona"):  # of which a task group would take no notice
            async for text in thoughts:
                if not spoken:
                    self._send("bot-tts-started")
                    spoken = True
                await sentences.put((text, await self._persona.speak(text)))
        self._send("bot-llm-stopped")
        if spoken:
            self._send("bot-tts-stopped")
        await sentences.put(None)

    async def _deliver(self, sentences: asyncio.Queue[tuple[str, Speech] | None]) -> None:
        while sentence := await sentences.get():
            await self._say(*sentence)

    async def _say(self, text: str, speech: Speech) -> None:
        segment_id = next(self._segment_ids)
        before = f"{self.said} " if self.said else ""
        samples = at_opus_rate(mono_float32(speech.samples), speech.sample_rate_hz)
        self._avatar.thinking = False
        visemes = speech.visemes or visemes_of_sound(samples, ENGINE_RATE_HZ)
        start = self._voice.play(samples, visemes)
        self._report(segment_id, text, 0, "new")
        await self._voice.sent(start + min(1, len(samples)))
        if not self.speaking:
            self.speaking = True
            self._send("bot-started-speaking")
        for word in speech.words or _evenly(text, len(speech.samples) / speech.sample_rate_hz):
            await self._voice.sent(start + word.start_s * ENGINE_RATE_HZ)
            self.said = before + text[: word.text_end]
            self._report(segment_id, text, word.text_end, "in-progress")
        await self._voice.sent(start + len(samples))
        self.said = before + text
        self._report(segment_id, text, len(text), "completed")

    def _report(self, segment_id: int, text: str, spoken_chars: int, status: str) -> None:
        progress = {"accumulated_text": text[:spoken_chars], "remaining_text": text[spoken_chars:].lstrip()}
        self._send(
            "bot-output",
            {
                "text": text,
                "output_type": "sentence",
                "aggregated_by": "sentence",
                "segment_id": segment_id,
                "will_be_spoken": True,
                "spoken_status": status,
                "spoken_progress": progress,
            },
        )


def _evenly(text: str, duration_s: float) -> Iterator[Word]:
    """Word times for a voice that reports none: each letter takes the same time."""
    start = 0
    for word in text.split():
        end = text.index(word, start) + len(word)
        yield Word(duration_s * (end - len(word)) / len(text), end)
        start = end
