"""Whose turn it is: hears the user, has the persona answer, and falls silent when the user speaks."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Coroutine
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from aiortc import MediaStreamTrack

from spike_engine.lifetime import no_cancellation_by
from spike_engine.server.answer import Answer, Send
from spike_engine.server.local.hearing import VoiceDetector
from spike_engine.server.persona import HEARING_RATE_HZ, Perceived, Persona
from spike_engine.server.picture.avatar import Avatar
from spike_engine.server.tracks import VoiceTrack, glances, mono_at
from spike_engine.server.turns import SpeechContinued, SpeechEnded, SpeechStarted, TurnDetector, Utterance

logger = logging.getLogger(__name__)

GLANCE_INTERVAL_S = 0.5
PATIENCE_S = 3.0
CLEANUP_LIMIT_S = 3.0  # a turn that was cancelled may take so long to end, and no longer keeps the next from beginning


class Dialogue:
    """The talk of a persona with the user, over one connection after the other.

    At most one turn is in progress: the user speaks, the persona thinks, the persona speaks. A new one cancels it.
    """

    def __init__(self, persona: Persona, avatar: Avatar, send: Send) -> None:
        self._persona = persona
        self._avatar = avatar
        self._send = send
        self._voice: VoiceTrack | None = None
        self._greeted = False
        self._turn: asyncio.Task[None] | None = None
        self._answer: Answer | None = None
        self._unanswered = ""
        self._patient_until_s = 0.0
        self._voice_detector: VoiceDetector | None = None

    def start(self, voice: VoiceTrack) -> None:
        """Listen from now on, and speak on `voice`; greet a user who is here for the first time."""
        self._voice = voice
        if self._persona.greeting and not self._greeted:
            self._begin_turn(self._reply(_only(self._persona.greeting)))
        self._greeted = True

    async def pause(self) -> None:
        """Stop listening and speaking, until the next `start`."""
        self.interrupt()
        self._voice = None
        if self._turn:
            await asyncio.wait([self._turn], timeout=CLEANUP_LIMIT_S)

    async def listen(self, track: MediaStreamTrack) -> None:
        """Take the user's turns from `track` until it ends."""
        # Its model takes some 50 ms to load: every other conversation would hear a gap, and a user who comes back loses
        # the first word.
        if self._voice_detector is None:
            self._voice_detector = await asyncio.to_thread(VoiceDetector)
        detector = TurnDetector(self._voice_detector)
        utterance: Utterance | None = None
        async for samples in mono_at(HEARING_RATE_HZ, track):
            ai_heard = self._answer is not None and self._answer.speaking
            for event in detector.process(samples, ai_heard=ai_heard) if self._voice else ():
                match event:
                    case SpeechStarted(sound):
                        utterance = Utterance(sound)
                        self.interrupt()
                        self._send("user-started-speaking")
                        self._begin_turn(self._hear(utterance))
                    case SpeechContinued(sound) if utterance:
                        utterance.put(sound)
                    case SpeechEnded() if utterance:
                        self._send("user-stopped-speaking")
                        utterance.end()
            self._hold(detector.suspects)
        self._hold(False)

    def _hold(self, held: bool) -> None:
        """Pause the voice, and tell the client, which has yet to play what was sent before; or let it go on.

        Soon after a pause that was for nothing there is no other: an echo would make the AI stammer.
        """
        now_s = asyncio.get_running_loop().time()
        if not self._voice or self._voice.held == held or (held and now_s < self._patient_until_s):
            return
        self._voice.held = held
        if self._answer and self._answer.speaking:
            self._send("bot-paused" if held else "bot-resumed")
            if not held:
                self._patient_until_s = now_s + PATIENCE_S

    async def watch(self, track: MediaStreamTrack) -> None:
        """Show the user to a persona that sees, until `track` ends."""
        last: Perceived | None = None
        try:
            async for picture in glances(track, GLANCE_INTERVAL_S if self._persona.sees else math.inf):
                if not self._voice:  # nobody is there yet to be told
                    continue
                with no_cancellation_by("see()"):
                    perceived = await self._persona.see(picture)
                if self._voice and perceived != last:
                    self._send("server-message", {"type": "perception", **asdict(perceived)})
                    last = perceived
        except Exception as error:
            self._report_failure(error)
        async for _ in glances(track, math.inf):  # nobody looks any more, but the pictures still have to go
            pass

    def read(self, text: str) -> None:
        """Take a turn of the user that was typed."""
        if self._voice:
            self.interrupt()
            self._send("user-input", _user_words(text, "chat", final=True))
            self._begin_turn(self._reply_to(text))

    def know(self, text: str, role: Literal["user", "system"]) -> None:
        """Let the persona know something, which is no turn."""
        try:
            self._persona.know(text, role)
        except Exception as error:
            self._report_failure(error)

    def interrupt(self) -> None:
        """Give up the turn in progress; the voice falls silent at once."""
        if self._answer:
            self._answer.interrupt()
            if self._answer.said:
                self._unanswered = ""
            self._answer = None
        if self._turn:
            self._turn.cancel()

    def _begin_turn(self, turn: Coroutine[Any, Any, None]) -> None:
        self._turn = asyncio.create_task(self._run_turn(turn, self._turn))

    async def _run_turn(self, turn: Coroutine[Any, Any, None], before: asyncio.Task[None] | None) -> None:
        try:
            if before:  # was cancelled, and may still clean up after itself
                await asyncio.wait([before], timeout=CLEANUP_LIMIT_S)
            with no_cancellation_by("the persona"):
                await turn
        except Exception as error:
            self._report_failure(error)
        finally:
            turn.close()

    async def _hear(self, utterance: Utterance) -> None:
        words = ""
        try:
            async for words in self._persona.hear(utterance):
                self._report_user(words, final=False)
        finally:  # what the user said before it was answered belongs to the same thought
            self._unanswered = f"{self._unanswered} {words}".strip()
        self._report_user(words, final=True)
        await self._reply_to(self._unanswered)

    async def _reply_to(self, heard: str) -> None:
        await self._reply(self._persona.think(heard))

    async def _reply(self, thoughts: AsyncIterator[str]) -> None:
        assert self._voice is not None
        self._answer = Answer(self._persona, self._voice, self._avatar, self._send)
        try:
            await self._answer.run(thoughts)
        finally:
            self._answer = None
        self._unanswered = ""

    def _report_failure(self, error: Exception) -> None:
        logger.error("the persona failed", exc_info=error)
        self._send("error", {"error": f"the AI failed: {error}", "fatal": False})

    def _report_user(self, text: str, *, final: bool) -> None:
        if text:
            words = _user_words(text, "transcription", final=final)
            self._send("user-transcription", {key: value for key, value in words.items() if key != "input_type"})
            self._send("user-input", words)


async def _only(sentence: str) -> AsyncIterator[str]:
    yield sentence


def _user_words(text: str, input_type: str, *, final: bool) -> dict[str, Any]:
    timestamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"text": text, "input_type": input_type, "user_id": "user", "timestamp": timestamp, "final": final}
