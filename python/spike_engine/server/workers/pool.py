"""The workers of one server: which of them a conversation lives in, and how many more there may be."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable

from spike_engine.server.workers.process import WorkerProcess
from spike_engine.server.workers.worker import LocalWorker, PersonaFactory, Worker

ENDED_REMEMBERED = 1024
RETRY_AFTER_S = 5  # calls last for minutes: sooner there is hardly a place
RETRY_ELSEWHERE_S = 1  # whoever asks again is led to another server


class TooManyConversations(RuntimeError):
    """The server accepts no more conversations now.

    Attributes:
        retry_after_s: When it makes sense to ask again.
    """

    def __init__(self, message: str, retry_after_s: int = RETRY_AFTER_S) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class WorkerPool:
    """Opens each conversation where there is most room.

    Args:
        persona: See :class:`~spike_engine.server.workers.worker.LocalWorker`; with processes, it is pickled.
        processes: How many; with 1, conversations live on the event loop of the server itself.
        max_conversations: How many may exist at once, in all.
        idle_timeout_s: A conversation that nobody is connected to ends after this time.
        udp_ports: The ports that media may use, first and last; None for any.
    """

    def __init__(
        self,
        persona: PersonaFactory,
        *,
        processes: int,
        max_conversations: int,
        idle_timeout_s: float,
        udp_ports: tuple[int, int] | None,
    ) -> None:
        self.max_conversations = max_conversations
        self.draining = False
        kind: Callable[..., Worker] = LocalWorker if processes == 1 else WorkerProcess
        self.workers = [
            kind(persona, idle_timeout_s=idle_timeout_s, on_end=self._forget, udp_ports=udp_ports)
            for _ in range(processes)
        ]
        self._places: dict[str, Worker] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._places)

    @property
    def ids(self) -> list[str]:
        """The conversations that exist."""
        return list(self._places)

    @property
    def free_places(self) -> int:
        """How many more conversations would be admitted now."""
        if self.draining:
            return 0
        allowed = self.max_conversations - len(self._places)
        return max(0, min(allowed, sum(self._room_in(worker) for worker in self.workers)))

    async def start(self) -> None:
        """Start all workers; where one does not start, none runs."""
        try:
            async with asyncio.TaskGroup() as group:
                for worker in self.workers:
                    group.create_task(worker.start())
        except ExceptionGroup as several:
            await self.stop()
            raise several.exceptions[0] from None

    async def stop(self) -> None:
        """End every conversation and every worker."""
        await asyncio.gather(*(worker.stop() for worker in self.workers))

    async def drain(self) -> None:
        """Open no more conversations, and wait until the last has ended."""
        self.draining = True
        for worker in self.workers:
            worker.drain()
        await self._empty.wait()

    def open(self) -> str:
        """Begin a conversation and return its id, which names its worker.

        Raises:
            TooManyConversations: There is no room.
        """
        if self.draining:
            raise TooManyConversations("the server is about to stop", RETRY_ELSEWHERE_S)
        if len(self._places) >= self.max_conversations:
            raise TooManyConversations(f"the server accepts {self.max_conversations} conversations at once")
        number, worker = max(enumerate(self.workers), key=lambda each: self._room_in(each[1]))
        if self._room_in(worker) < 1:
            raise TooManyConversations("the server has as much to do as it can")
        conversation_id = f"conv_{number}_{secrets.token_hex(8)}"
        worker.open(conversation_id)
        self._places[conversation_id] = worker
        self._empty.clear()
        return conversation_id

    def worker_of(self, conversation_id: str) -> Worker | None:
        """Where a conversation goes on; None where it does not."""
        worker = self._places.get(conversation_id)
        return worker if worker and worker.holds(conversation_id) else None

    def knows(self, conversation_id: str) -> bool:
        """Whether there is, or lately was, such a conversation."""
        return conversation_id in self._places or conversation_id in self._ended

    def _room_in(self, worker: Worker) -> int:
        load = worker.load()
        here = sum(each is worker for each in self._places.values())
        if load.capacity is None:
            return -(-self.max_conversations // len(self.workers)) - here
        return min(load.capacity, self.max_conversations) - (here - load.away)

    def _forget(self, conversation_id: str) -> None:
        self._places.pop(conversation_id, None)
        self._ended[conversation_id] = None
        if len(self._ended) > ENDED_REMEMBERED:
            self._ended.popitem(last=False)
        if not self._places:
            self._empty.set()
