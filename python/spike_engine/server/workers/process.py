"""A worker in a process of its own, as the server sees it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import multiprocessing
import multiprocessing.util
import pickle
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from spike_engine.lifetime import signals
from spike_engine.server.conversation import ConversationOver
from spike_engine.server.peer import BadOffer
from spike_engine.server.workers.child import REPORT_EVERY_S, run_worker
from spike_engine.server.workers.load import LATE_MS, Load
from spike_engine.server.workers.tally import Tally
from spike_engine.server.workers.worker import Answer, Offer, Overloaded, PersonaFactory

logger = logging.getLogger(__name__)

START_TIMEOUT_S = 60.0
EXIT_TIMEOUT_S = 10.0
RESTART_AFTER_S = 1.0
QUIET_MS = 2000 * REPORT_EVERY_S + LATE_MS  # a worker that has said nothing for longer is late


class WorkerProcess:
    """A :class:`~spike_engine.server.workers.worker.Worker` elsewhere. One that dies is started anew.

    Args:
        persona: Must be picklable: a class or function of a module, or a ``functools.partial`` of one.
        idle_timeout_s: See :class:`~spike_engine.server.workers.worker.LocalWorker`.
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
        self._arguments = persona, idle_timeout_s, udp_ports
        self._on_end = on_end
        self._ids: set[str] = set()
        self._load = Load()
        self._heard_at = 0.0
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._pipe: Connection | None = None
        self._process: multiprocessing.process.BaseProcess | None = None
        self._at_exit: multiprocessing.util.Finalize | None = None
        self._reader: threading.Thread | None = None
        self._begun: asyncio.Future[None] | None = None
        self._stopping = False
        self._restart: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """See :meth:`Worker.start`.

        Raises:
            ValueError: The persona cannot be pickled.
            RuntimeError: The process ended at once; what it said is on standard error.
            TimeoutError: It is not ready after a minute.
        """
        loop = asyncio.get_running_loop()
        context = multiprocessing.get_context("spawn")  # a fork would copy the loop, its sockets and its locks
        self._pipe, theirs = context.Pipe()
        self._begun = loop.create_future()
        process = context.Process(target=run_worker, args=(theirs, *self._arguments), daemon=True)
        try:
            await asyncio.to_thread(signals.held_back()(process.start))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            self._pipe.close()
            self._pipe = None
            raise ValueError(
                f"with several workers, persona must be a class or function of a module: {error}"
            ) from error
        finally:
            theirs.close()  # so that the pipe ends where the process does
        self._process = process
        self._reader = threading.Thread(target=self._read, args=(self._pipe, loop), name="worker", daemon=True)
        self._reader.start()
        # A program that ends without `stop` would wait for the process, and the process for the program.
        farewell = (None, "stop", ())
        self._at_exit = multiprocessing.util.Finalize(None, self._pipe.send, (farewell,), exitpriority=1)
        try:
            await asyncio.wait_for(self._begun, START_TIMEOUT_S)
        except BaseException:
            await self._end()
            raise

    async def stop(self) -> None:
        """See :meth:`Worker.stop`."""
        self._stopping = True
        if self._restart:
            self._restart.cancel()
            await asyncio.gather(self._restart, return_exceptions=True)
        self._tell("stop")
        await self._end()

    def drain(self) -> None:
        """See :meth:`Worker.drain`."""
        self._tell("drain")

    def load(self) -> Load:
        """See :meth:`Worker.load`."""
        quiet_ms = 1000 * (time.monotonic() - self._heard_at)
        if self._pipe is None:  # it has died, and another begins
            return Load(quiet_ms, capacity=0)
        if quiet_ms > QUIET_MS:
            return Load(quiet_ms, self._load.busy, self._load.connected, capacity=0)
        return self._load

    def open(self, conversation_id: str) -> None:
        """See :meth:`Worker.open`."""
        self._ids.add(conversation_id)
        self._tell("open", conversation_id)

    def holds(self, conversation_id: str) -> bool:
        """See :meth:`Worker.holds`."""
        return conversation_id in self._ids

    async def join(self, conversation_id: str, offer: Offer) -> Answer:
        """See :meth:`Worker.join`."""
        answer: Answer = await self._ask("join", conversation_id, offer)
        return answer

    async def add_candidates(self, conversation_id: str, peer_id: str, candidates: Sequence[dict[str, Any]]) -> bool:
        """See :meth:`Worker.add_candidates`."""
        return bool(await self._ask("add_candidates", conversation_id, peer_id, candidates))

    async def end(self, conversation_id: str) -> None:
        """See :meth:`Worker.end`."""
        with contextlib.suppress(ConversationOver):
            await self._ask("end", conversation_id)

    def _tell(self, method: str, *arguments: Any, number: int | None = None) -> None:
        if self._pipe:
            with contextlib.suppress(OSError):  # it has died, which the reader tells
                self._pipe.send((number, method, arguments))

    async def _ask(self, method: str, *arguments: Any) -> Any:
        if self._pipe is None:
            raise ConversationOver
        number = next(self._numbers)
        self._asked[number] = asyncio.get_running_loop().create_future()
        self._tell(method, *arguments, number=number)
        try:
            return await self._asked[number]
        finally:
            del self._asked[number]

    async def _end(self) -> None:
        """Wait for the process to go, and help it where it does not."""
        process, self._process = self._process, None
        if self._at_exit:
            self._at_exit.cancel()
        if not process:
            return
        await asyncio.to_thread(process.join, EXIT_TIMEOUT_S)
        if process.is_alive():
            process.kill()
            await asyncio.to_thread(process.join)
        process.close()
        if self._reader:
            await asyncio.to_thread(self._reader.join)

    def _read(self, pipe: Connection, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed
            try:
                while True:
                    loop.call_soon_threadsafe(self._take, *pipe.recv())
            except (EOFError, OSError):
                loop.call_soon_threadsafe(self._on_death, pipe)

    def _take(self, what: str, *fields: Any) -> None:
        match what, fields:
            case "reply", (number, result, error):
                if (asked := self._asked.get(number)) and not asked.done():
                    asked.set_exception(_error_of(*error)) if error else asked.set_result(result)
            case "ended", (conversation_id,):
                self._forget(conversation_id)
            case "state", (load, tally):
                self._load, self.tally, self._heard_at = load, tally, time.monotonic()
                if self._begun and not self._begun.done():
                    self._begun.set_result(None)

    def _forget(self, conversation_id: str) -> None:
        if conversation_id in self._ids:
            self._ids.remove(conversation_id)
            self._on_end(conversation_id)

    def _on_death(self, pipe: Connection) -> None:
        pipe.close()
        self._pipe, self._load, self.tally = None, Load(), Tally()
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(ConversationOver())
        for conversation_id in tuple(self._ids):
            self._forget(conversation_id)
        if self._begun and not self._begun.done():
            self._begun.set_exception(RuntimeError("a worker process did not start"))
        elif not self._stopping and self._restart is None:
            logger.error("a worker process has died; its conversations are over, and another begins")
            self._restart = asyncio.create_task(self._start_anew())

    async def _start_anew(self) -> None:
        try:
            while True:
                await asyncio.sleep(RESTART_AFTER_S)
                await self._end()
                try:
                    await self.start()
                except Exception:
                    logger.exception("a worker process did not start again")
                else:
                    return
        finally:
            self._restart = None


def _error_of(name: str, message: str) -> Exception:
    """The exception that a worker tells of: not every one can be pickled."""
    match name:
        case "BadOffer":
            return BadOffer(message)
        case "ConversationOver":
            return ConversationOver()
        case "Overloaded":
            return Overloaded(message)
    return RuntimeError(f"{name}: {message}")
