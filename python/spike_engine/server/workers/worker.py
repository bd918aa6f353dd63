"""The conversations of one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from spike_engine.server.conversation import Conversation, ConversationOver
from spike_engine.server.persona import Persona
from spike_engine.server.picture.face import paint_face
from spike_engine.server.workers.load import Load, LoadMeter
from spike_engine.server.workers.tally import Tally
from spike_engine.webrtc.udp_ports import keep_within

COUNT_EVERY_S = 2.0

PersonaFactory = Callable[[], Persona]


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client asks with: see :meth:`spike_engine.server.conversation.Conversation.join`."""

    sdp: str
    type: str
    peer_id: str | None
    restart: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What it is answered."""

    sdp: str
    type: str
    peer_id: str | None


class Overloaded(RuntimeError):
    """A new client would make those that are there wait."""


class Worker(Protocol):
    """Where conversations live.

    Attributes:
        tally: What was counted there.
    """

    tally: Tally

    async def start(self) -> None:
        """Get ready."""

    async def stop(self) -> None:
        """End every conversation."""

    def drain(self) -> None:
        """End conversations as soon as nobody is connected to them."""

    def load(self) -> Load:
        """How much there is to do."""

    def open(self, conversation_id: str) -> None:
        """Begin a conversation."""

    def holds(self, conversation_id: str) -> bool:
        """Whether it goes on."""

    async def join(self, conversation_id: str, offer: Offer) -> Answer:
        """Connect a client.

        Raises:
            BadOffer: The offer makes no connection.
            ConversationOver: There is no such conversation any more.
            Overloaded: The client would be a new one, and there is no room.
        """

    async def add_candidates(self, conversation_id: str, peer_id: str, candidates: Sequence[dict[str, Any]]) -> bool:
        """Hand trickled candidates on; False where `peer_id` is not the connection in use.

        Raises:
            BadOffer: One of them is no candidate.
            ConversationOver: There is no such conversation any more.
        """

    async def end(self, conversation_id: str) -> None:
        """End a conversation; one that is over stays over."""


class LocalWorker:
    """A :class:`Worker` on the event loop that starts it.

    Args:
        persona: Called once per conversation for the partner in it.
        idle_timeout_s: A conversation that nobody is connected to ends after this time.
        on_end: Told the id of each conversation that is over.
        udp_ports: The ports that media may use, first and last; None for any.
    """

    def __init__(
        self,
        persona: PersonaFactory,
        *,
        idle_timeout_s: float,
        on_end: Callable[[str], object],
        udp_ports: tuple[int, int] | None = None,
    ) -> None:
        self.tally = Tally()
        self._persona = persona
        self._idle_timeout_s = idle_timeout_s
        self._on_end = on_end
        self._udp_ports = udp_ports
        self._conversations: dict[str, Conversation] = {}
        self._meter = LoadMeter(lambda: sum(each.peer_id is not None for each in self._conversations.values()))
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """See :meth:`Worker.start`."""
        if self._udp_ports:
            keep_within(asyncio.get_running_loop(), *self._udp_ports)
        paint_face()  # some 0.2 s, before anybody waits for it
        self._tasks = [asyncio.create_task(self._meter.run()), asyncio.create_task(self._count_packets())]

    async def stop(self) -> None:
        """See :meth:`Worker.stop`."""
        await asyncio.gather(*(conversation.end() for conversation in tuple(self._conversations.values())))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def drain(self) -> None:
        """See :meth:`Worker.drain`."""
        for conversation in tuple(self._conversations.values()):
            conversation.drain()

    def load(self) -> Load:
        """See :meth:`Worker.load`."""
        away = sum(each.was_joined and each.peer_id is None for each in self._conversations.values())
        return replace(self._meter.load(), away=away)

    def open(self, conversation_id: str) -> None:
        """See :meth:`Worker.open`."""
        self._conversations[conversation_id] = Conversation(
            conversation_id,
            self._persona(),
            idle_timeout_s=self._idle_timeout_s,
            on_end=self._forget,
            tally=self.tally,
        )

    def holds(self, conversation_id: str) -> bool:
        """See :meth:`Worker.holds`."""
        conversation = self._conversations.get(conversation_id)
        return conversation is not None and not conversation.ended

    async def join(self, conversation_id: str, offer: Offer) -> Answer:
        """See :meth:`Worker.join`."""
        conversation = self._conversation(conversation_id)
        if not conversation.was_joined and self.load().late:
            raise Overloaded("the server has as much to do as it can")
        answer = await conversation.join(offer.sdp, offer.type, peer_id=offer.peer_id, restart=offer.restart)
        return Answer(answer.sdp, answer.type, conversation.peer_id)

    async def add_candidates(self, conversation_id: str, peer_id: str, candidates: Sequence[dict[str, Any]]) -> bool:
        """See :meth:`Worker.add_candidates`."""
        return await self._conversation(conversation_id).add_candidates(peer_id, candidates)

    async def end(self, conversation_id: str) -> None:
        """See :meth:`Worker.end`."""
        if conversation := self._conversations.get(conversation_id):
            await conversation.end()

    def _conversation(self, conversation_id: str) -> Conversation:
        if not self.holds(conversation_id):
            raise ConversationOver
        return self._conversations[conversation_id]

    def _forget(self, conversation: Conversation) -> None:
        del self._conversations[conversation.id]
        self._on_end(conversation.id)

    async def _count_packets(self) -> None:
        counted: dict[str, tuple[int, int]] = {}
        while True:
            await asyncio.sleep(COUNT_EVERY_S)
            before, counted = counted, {}
            for conversation in tuple(self._conversations.values()):
                if packets := await conversation.packets():
                    peer_id, received, lost = packets
                    received_before, lost_before = before.get(peer_id, (0, 0))
                    counted[peer_id] = received, lost
                    self.tally.packets_received += max(0, received - received_before)
                    self.tally.packets_lost += max(0, lost - lost_before)
