"""One conversation: who is connected, whose turn it is, and when it is over."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

from aiortc import MediaStreamTrack, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from spike_engine.protocol import LABEL, PROTOCOL_VERSION, encode
from spike_engine.server.answer import Answer
from spike_engine.server.avatar import Avatar
from spike_engine.server.hearing import VoiceDetector
from spike_engine.server.media import mono_at
from spike_engine.server.peer import Peer
from spike_engine.server.persona import HEARING_RATE_HZ, Persona
from spike_engine.server.turns import SpeechContinued, SpeechEnded, SpeechStarted, TurnDetector, Utterance

logger = logging.getLogger(__name__)


class Conversation:
    """Brings a persona together with the client that is connected now.

    It outlives its connection, so that a client that lost the network can come back, and ends when nobody has been there
    for `idle_timeout_s`.
    """

    def __init__(
        self, conversation_id: str, persona: Persona, *, idle_timeout_s: float, on_end: Callable[[Conversation], None]
    ) -> None:
        self.id = conversation_id
        self._persona = persona
        self._idle_timeout_s = idle_timeout_s
        self._on_end = on_end
        self._avatar = Avatar()
        self._joining = asyncio.Lock()
        self._leaving = asyncio.Lock()
        self._ending: asyncio.Task[None] | None = None
        self._peer: Peer | None = None
        self._peer_tasks: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._getting_ready: asyncio.Task[None] | None = None
        self._ready = False
        self._greeted = False
        self._turn: asyncio.Task[None] | None = None
        self._answer: Answer | None = None
        self._unanswered = ""
        self._idle: asyncio.Task[None] | None = self._spawn(self._end_when_idle())

    @property
    def peer_id(self) -> str | None:
        """The connection that is in use."""
        return self._peer.id if self._peer else None

    async def join(self, sdp: str, sdp_type: str, *, peer_id: str | None, restart: bool) -> RTCSessionDescription:
        """Answer an offer: a change of the connection `peer_id`, or else a new one, which takes the place of the old.

        Raises:
            BadOffer: The offer makes no connection; one that is in use stays.

        """
        async with self._joining:
            if self._peer and self._peer.id == peer_id and not restart:
                return await self._peer.answer(sdp, sdp_type)
            peer = Peer(uuid.uuid4().hex, self._avatar, self)
            try:
                answer = await peer.answer(sdp, sdp_type)
            except BaseException:
                await peer.close()
                raise
            await self._drop_peer()
            self._use(peer)
            return answer

    async def add_candidates(self, peer_id: str, candidates: Sequence[dict[str, Any]]) -> bool:
        """Hand trickled candidates on; False where `peer_id` is not the connection in use."""
        if not self._peer or self._peer.id != peer_id:
            return False
        await self._peer.add_candidates(candidates)
        return True

    @property
    def ended(self) -> bool:
        """Whether it is over, or about to be."""
        return self._ending is not None

    async def end(self) -> None:
        """Say good-bye to the client and release everything; return when that is done."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        await self._drop_peer(say_goodbye=True)
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._persona.close()
        self._on_end(self)

    # What happens on the connection

    def on_message(self, peer: Peer, text: str) -> None:
        """See :class:`PeerListener`: one RTVI message of the client."""
        try:
            message = json.loads(text)
            label, kind, data = message.get("label"), message.get("type"), message.get("data")
        except (ValueError, AttributeError, RecursionError):
            logger.warning("ignored a message that is no JSON object: %.80r", text)
            return
        if label != LABEL or peer is not self._peer:
            return
        if kind == "client-ready":
            self._spawn(self._welcome(peer, message.get("id")))
        elif kind == "send-text" and self._ready and isinstance(data, dict):
            self._take_typed(str(data.get("content", "")))
        elif kind == "disconnect-bot":
            self._spawn(self.end())
        else:
            peer.send(encode("error-response", {"error": f"this server does not know {kind!r}"}, message.get("id")))

    def on_lost(self, peer: Peer) -> None:
        """See :class:`PeerListener`: keep the conversation for a while, the client may come back."""
        if peer is self._peer and not self.ended:
            self._spawn(self._drop_peer())

    def _use(self, peer: Peer) -> None:
        self._peer, self._ready = peer, False
        if self._idle:
            self._idle.cancel()
        if self._getting_ready is None:
            self._getting_ready = self._spawn(self._persona.start())
        consumers = {"audio": self._listen, "video": self._watch}
        self._peer_tasks = [self._spawn(consumers[kind](peer, track)) for kind, track in peer.tracks.items()]

    async def _drop_peer(self, *, say_goodbye: bool = False) -> None:
        async with self._leaving:
            if not self._peer:
                return
            self._interrupt()
            peer, self._peer = self._peer, None
            for task in self._peer_tasks:
                task.cancel()
            await asyncio.gather(*self._peer_tasks, return_exceptions=True)
            await peer.close(say_goodbye=say_goodbye)
            if not self.ended:
                self._idle = self._spawn(self._end_when_idle())

    async def _end_when_idle(self) -> None:
        await asyncio.sleep(self._idle_timeout_s)
        logger.info("conversation %s ends: nobody was there for %g s", self.id, self._idle_timeout_s)
        await self.end()

    async def _welcome(self, peer: Peer, message_id: str | None) -> None:
        assert self._getting_ready is not None
        try:
            await asyncio.shield(self._getting_ready)
        except Exception as error:
            logger.exception("the persona of conversation %s did not start", self.id)
            self._send("error", {"error": str(error), "fatal": True})
            await self.end()
            return
        peer.send(encode("bot-ready", {"version": PROTOCOL_VERSION, "about": {"library": "spike_engine"}}, message_id))
        self._ready = True
        if self._persona.greeting and not self._greeted:
            self._greeted = True
            self._turn = self._spawn(self._reply(_only(self._persona.greeting)))

    # Whose turn it is

    async def _listen(self, peer: Peer, track: MediaStreamTrack) -> None:
        detector = TurnDetector(VoiceDetector())
        utterance: Utterance | None = None
        async for samples in mono_at(HEARING_RATE_HZ, track):
            if not self._ready:
                continue
            for event in detector.process(samples):
                match event:
                    case SpeechStarted(sound):
                        utterance = Utterance(sound)
                        self._interrupt()
                        self._send("user-started-speaking")
                        self._turn = self._spawn(self._take_turn(utterance, self._turn))
                    case SpeechContinued(sound) if utterance:
                        utterance.put(sound)
                    case SpeechEnded() if utterance:
                        self._send("user-stopped-speaking")
                        utterance.end()

    async def _watch(self, peer: Peer, track: MediaStreamTrack) -> None:
        """Take the user's pictures off the track, which would otherwise keep them all."""
        try:
            while True:
                await track.recv()
        except MediaStreamError:
            return

    async def _take_turn(self, utterance: Utterance, previous: asyncio.Task[None] | None) -> None:
        if previous:
            await asyncio.wait([previous])
        words = ""
        async for words in self._persona.hear(utterance):
            self._report_user(words, final=False)
        self._report_user(words, final=True)
        # What the user said before it was answered belongs to the same thought.
        self._unanswered = f"{self._unanswered} {words}".strip()
        await self._reply(self._persona.think(self._unanswered))

    def _take_typed(self, text: str) -> None:
        self._interrupt()
        self._send("user-input", _user_words(text, "chat", final=True))
        self._turn = self._spawn(self._reply(self._persona.think(text)))

    async def _reply(self, thoughts: AsyncIterator[str]) -> None:
        if not self._peer:
            return
        self._answer = answer = Answer(self._persona, self._peer.voice, self._send)
        self._avatar.thinking = True
        try:
            await answer.run(thoughts)
            self._unanswered = ""
        except* Exception as errors:
            for error in errors.exceptions:
                logger.error("the persona failed to answer", exc_info=error)
                self._send("error", {"error": f"the answer failed: {error}", "fatal": False})

    def _interrupt(self) -> None:
        """Stop the answer in progress at once; its task cleans up after itself."""
        if self._turn and not self._turn.done():
            self._turn.cancel()
            if self._answer:
                self._answer.interrupt()
        if self._answer and self._answer.said:
            self._unanswered = ""
        self._answer = None

    # Messages

    def _send(self, message_type: str, data: dict[str, Any] | None = None) -> None:
        if self._peer:
            self._peer.send(encode(message_type, data))

    def _report_user(self, text: str, *, final: bool) -> None:
        if not text:
            return
        words = _user_words(text, "transcription", final=final)
        self._send("user-transcription", {key: value for key, value in words.items() if key != "input_type"})
        self._send("user-input", words)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _only(sentence: str) -> AsyncIterator[str]:
    yield sentence


def _user_words(text: str, input_type: str, *, final: bool) -> dict[str, Any]:
    timestamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"text": text, "input_type": input_type, "user_id": "user", "timestamp": timestamp, "final": final}
