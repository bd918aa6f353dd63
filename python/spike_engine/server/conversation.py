"""One conversation: who is connected to it, and when it is over."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from aiortc import RTCSessionDescription

from spike_engine.lifetime import no_cancellation_by
from spike_engine.protocols.rtvi import LABEL, PROTOCOL_VERSION, encode
from spike_engine.protocols.strict_json import object_of, parse_object, text_of, text_or_none
from spike_engine.server.dialogue import Dialogue
from spike_engine.server.peer import Peer
from spike_engine.server.persona import Persona
from spike_engine.server.picture.avatar import Avatar
from spike_engine.server.picture.face import paint_face
from spike_engine.server.workers.tally import CallTimes, Tally

logger = logging.getLogger(__name__)

CLOSE_LIMIT_S = 3.0  # a persona may take so long to close
WISHES = ("interrupt", "append-to-context", "push-to-talk")  # for which RTVI has no message


class ConversationOver(Exception):
    """The conversation has ended."""

    def __init__(self) -> None:
        super().__init__("the conversation has ended")


class Conversation:
    """Brings a persona together with the client that is connected now.

    It outlives its connection, so that a client that lost the network can come back, and ends when nobody has been
    there for `idle_timeout_s`.

    Attributes:
        was_joined: A client has been connected to it.
    """

    def __init__(
        self,
        conversation_id: str,
        persona: Persona,
        *,
        idle_timeout_s: float,
        on_end: Callable[[Conversation], None],
        tally: Tally,
    ) -> None:
        self.id = conversation_id
        self.was_joined = False
        self._times = CallTimes(tally)
        self._persona = persona
        self._idle_timeout_s = idle_timeout_s
        self._on_end = on_end
        self._avatar = Avatar(paint_face())
        self._dialogue = Dialogue(persona, self._avatar, self._send)
        self._membership = asyncio.Lock()  # held while a connection comes or goes
        self._peer: Peer | None = None
        self._peer_tasks: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._persona_start: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._idle: asyncio.Task[None] = self._spawn(self._end_when_idle())

    @property
    def peer_id(self) -> str | None:
        """The connection that is in use."""
        return self._peer.id if self._peer else None

    @property
    def ended(self) -> bool:
        """Whether it is over, or about to be."""
        return self._ending is not None

    async def join(self, sdp: str, sdp_type: str, *, peer_id: str | None, restart: bool) -> RTCSessionDescription:
        """Answer an offer: a change of the connection `peer_id`, or else a new one, which takes the place of the old.

        Raises:
            BadOffer: The offer makes no connection; one that is in use stays.
            ConversationOver: It has ended.
        """
        async with self._membership:
            if self.ended:
                raise ConversationOver
            if self._peer and self._peer.id == peer_id and not restart:
                answer = await self._peer.answer(sdp, sdp_type)
                self._take_tracks(self._peer)
                return answer
            self._times.offered()
            peer = Peer(uuid.uuid4().hex, self._avatar, self)
            try:
                answer = await peer.answer(sdp, sdp_type)
            except BaseException:
                await peer.close()
                raise
            await self._release_peer()
            self._use(peer)
            return answer

    async def packets(self) -> tuple[str, int, int] | None:
        """The connection in use, and how many media packets of the client it received and missed."""
        peer = self._peer
        return (peer.id, *await peer.packets()) if peer else None

    def drain(self) -> None:
        """End as soon as nobody is connected, which may be now."""
        self._idle_timeout_s = 0.0
        if not self._peer:
            self._spawn(self.end())

    async def add_candidates(self, peer_id: str, candidates: Sequence[dict[str, Any]]) -> bool:
        """Hand trickled candidates on; False where `peer_id` is not the connection in use."""
        if not self._peer or self._peer.id != peer_id:
            return False
        await self._peer.add_candidates(candidates)
        return True

    async def end(self) -> None:
        """Say good-bye to the client and release everything; return when that is done."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        await asyncio.shield(self._ending)

    def on_message(self, peer: Peer, text: str) -> None:
        """See :class:`PeerListener`: one RTVI message of the client."""
        message = parse_object(text)
        if message is None:
            logger.warning("ignored a message that is no JSON object: %r", text[:80])
            return
        if message.get("label") != LABEL or peer is not self._peer:
            return
        kind, message_id, data = message.get("type"), text_or_none(message.get("id")), object_of(message.get("data"))
        if kind == "client-ready":
            self._spawn(self._welcome(peer, message_id))
        elif kind == "send-text" and isinstance(message.get("data"), dict):
            self._read(text_of(data.get("content")).strip(), object_of(data.get("options")))
        elif kind == "client-message" and data.get("t") in WISHES:
            self._obey(data["t"], object_of(data.get("d")))
        elif kind == "disconnect-bot":
            self._spawn(self.end())
        else:
            what = repr(kind)[:80]
            peer.send(encode("error-response", {"error": f"this server does not know {what}"}, message_id))

    def _read(self, content: str, options: dict[str, Any]) -> None:
        """A text of the user's, which is a turn unless it says that it is none."""
        if content and options.get("run_immediately") is False:
            self._dialogue.know(content, "user")
        elif content:
            self._dialogue.read(content)

    def _obey(self, wish: str, data: dict[str, Any]) -> None:
        """One of `WISHES`. Push-to-talk asks for nothing: the voice itself is heard."""
        if wish == "interrupt":
            self._dialogue.interrupt()
        elif wish == "append-to-context":
            self._dialogue.know(text_of(data.get("content")), "system" if data.get("role") == "system" else "user")

    def on_lost(self, peer: Peer) -> None:
        """See :class:`PeerListener`: keep the conversation for a while, the client may come back."""
        if peer is self._peer and not self.ended:
            self._spawn(self._leave(peer))

    def _use(self, peer: Peer) -> None:
        self._peer = peer
        self.was_joined = True
        self._idle.cancel()
        if self._persona_start is None:
            self._persona_start = self._spawn(self._start_persona())
        self._peer_tasks = {}
        self._take_tracks(peer)

    def _take_tracks(self, peer: Peer) -> None:
        """Listen and look to what the client sends; a later offer may have added to it."""
        consumers = {"audio": self._dialogue.listen, "video": self._dialogue.watch}
        for kind in peer.tracks.keys() - self._peer_tasks.keys():
            self._peer_tasks[kind] = self._spawn(consumers[kind](peer.tracks[kind]))

    async def _start_persona(self) -> None:
        with no_cancellation_by("start()"):
            await self._persona.start()

    async def _welcome(self, peer: Peer, message_id: str | None) -> None:
        assert self._persona_start is not None
        try:
            await asyncio.shield(self._persona_start)
        except Exception as error:  # has been logged where the task ended
            self._send("error", {"error": f"the AI did not start: {error}", "fatal": True})
            await self.end()
            return
        if peer is self._peer:
            about = {"library": "spike_engine.server"}
            self._times.sent("bot-ready")
            peer.send(encode("bot-ready", {"version": PROTOCOL_VERSION, "about": about}, message_id))
            self._dialogue.start(peer.voice)

    async def _leave(self, peer: Peer) -> None:
        async with self._membership:
            if peer is self._peer and not self.ended:
                await self._release_peer()
                self._idle = self._spawn(self._end_when_idle())

    async def _release_peer(self, *, say_goodbye: bool = False) -> None:
        if not self._peer:
            return
        await self._dialogue.pause()
        peer, self._peer = self._peer, None
        await _cancel(self._peer_tasks.values())
        await peer.close(say_goodbye=say_goodbye)

    async def _end_when_idle(self) -> None:
        await asyncio.sleep(self._idle_timeout_s)
        logger.info("conversation %s ends: nobody was there for %g s", self.id, self._idle_timeout_s)
        await self.end()

    async def _end(self) -> None:
        async with self._membership:
            await self._release_peer(say_goodbye=True)
        await _cancel(self._tasks)
        try:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self._persona.close()
        except (Exception, asyncio.CancelledError):
            logger.exception("the persona of conversation %s did not close", self.id)
        self._on_end(self)

    def _send(self, message_type: str, data: dict[str, Any] | None = None) -> None:
        if self._peer:
            self._times.sent(message_type)
            self._peer.send(encode(message_type, data))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("conversation %s: %s failed", self.id, task.get_coro(), exc_info=error)


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    tasks = tuple(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
