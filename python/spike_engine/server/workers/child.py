"""What runs in the process of a worker: it does what comes through the pipe, and says how it fares."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Coroutine, Sequence
from multiprocessing.connection import Connection
from typing import Any

from spike_engine.lifetime import signals
from spike_engine.server.conversation import ConversationOver
from spike_engine.server.peer import BadOffer
from spike_engine.server.workers.worker import LocalWorker, Overloaded, PersonaFactory

logger = logging.getLogger(__name__)

REPORT_EVERY_S = 1.0


def run_worker(
    pipe: Connection, persona: PersonaFactory, idle_timeout_s: float, udp_ports: tuple[int, int] | None
) -> None:
    """The whole life of the process: it ends with ``stop``, or when the server has gone."""
    # Terminals and service managers send both to every process. The server decides when its conversations end.
    signals.ignore()
    asyncio.run(_run(pipe, persona, idle_timeout_s, udp_ports))


async def _run(
    pipe: Connection, persona: PersonaFactory, idle_timeout_s: float, udp_ports: tuple[int, int] | None
) -> None:
    child = _Child(pipe)
    await child.run(LocalWorker(persona, idle_timeout_s=idle_timeout_s, on_end=child.ended, udp_ports=udp_ports))


class _Child:
    """The other end of :class:`~spike_engine.server.workers.process.WorkerProcess`.

    What comes is ``(number, method, arguments)``, answered by ``("reply", number, result, error)`` where there is a
    number. What is told besides is ``("ended", conversation_id)`` and, every second, ``("state", load, tally)``.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._stopped = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def ended(self, conversation_id: str) -> None:
        self._say("ended", conversation_id)

    async def run(self, worker: LocalWorker) -> None:
        await worker.start()
        self._spawn(self._report(worker))
        threading.Thread(target=self._read, args=(worker, asyncio.get_running_loop()), daemon=True).start()
        await self._stopped.wait()
        await worker.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _say(self, *message: Any) -> None:
        with contextlib.suppress(OSError):  # the server has gone, which the reader tells
            self._pipe.send(message)

    async def _report(self, worker: LocalWorker) -> None:
        while True:
            self._say("state", worker.load(), worker.tally)
            await asyncio.sleep(REPORT_EVERY_S)

    def _read(self, worker: LocalWorker, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed
            try:
                while True:
                    loop.call_soon_threadsafe(self._take, worker, *self._pipe.recv())
            except (EOFError, OSError):
                loop.call_soon_threadsafe(self._stopped.set)

    def _take(self, worker: LocalWorker, number: int | None, method: str, arguments: Sequence[Any]) -> None:
        if method == "stop":
            self._stopped.set()
        elif number is not None:
            self._spawn(self._reply(number, getattr(worker, method)(*arguments)))
        else:
            try:
                getattr(worker, method)(*arguments)
            except Exception:  # the persona's factory may raise anything
                logger.exception("%s failed", method)
                if method == "open":
                    self._say("ended", *arguments)

    async def _reply(self, number: int, work: Coroutine[Any, Any, Any]) -> None:
        try:
            self._say("reply", number, await work, None)
        except Exception as error:
            if not isinstance(error, BadOffer | ConversationOver | Overloaded):
                logger.exception("a request failed")
            self._say("reply", number, None, (type(error).__name__, str(error)))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
