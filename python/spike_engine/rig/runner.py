"""Spreads the calls over this process, several, or a Ray cluster, and collects what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

from spike_engine.cluster import connect
from spike_engine.lifetime import signals
from spike_engine.rig.plan import Plan
from spike_engine.rig.record import CallRecord, Fault
from spike_engine.rig.share import Share, State

TAKE_EVERY_S = 0.5
LEAD_S = 0.5  # so that every process has the message when it is time
STOP_S = 5.0  # what leaving the calls may take when the run is stopped

Take = Callable[[Any], None]


async def run(plan: Plan, take: Take, *, processes: int = 1, cluster: str | None = None) -> None:
    """Make all calls of `plan`; `take` is given each :class:`CallRecord` and :class:`State` as they come.

    Where it is cancelled, the calls that go on are ended, and what became of them is taken, too. That may last five
    seconds; cancelled once more, it is not waited for.

    Args:
        plan: What to do.
        take: Called on the event loop.
        processes: How many share the calls; 1 makes them here.
        cluster: A Ray cluster to do it on, as :func:`spike_engine.cluster.connect` takes it.

    Raises:
        MissingExtra, ConnectionFailed: There is no such cluster.
    """
    processes = min(processes, plan.sessions)
    if cluster is not None:
        await _on_cluster(plan, take, processes, cluster)
    elif processes == 1:
        await _stoppable(Share(plan, 0, 1).run(time.time(), take), lambda calls: calls.cancel())
    else:
        await _in_processes(plan, take, processes)


async def _stoppable(work: Awaitable[Any], stop: Callable[[asyncio.Future[Any]], object]) -> Any:
    """Await `work`; where that is cancelled, `stop` it and let it come to its end."""
    future = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        stop(future)
        await asyncio.wait({future}, timeout=STOP_S)
        raise


async def _in_processes(plan: Plan, take: Take, count: int) -> None:
    loop = asyncio.get_running_loop()
    children = [_Child(plan, index, count) for index in range(count)]
    with ThreadPoolExecutor(count, "rig") as threads:
        try:
            await _started(children)
            await asyncio.gather(*(loop.run_in_executor(threads, child.begun) for child in children))
            _tell(children, time.time() + LEAD_S)
            pumps = asyncio.gather(*(loop.run_in_executor(threads, child.pump, loop, take) for child in children))
            ends = await _stoppable(pumps, lambda _: _tell(children, None))
            for index in (index for index, came_to_its_end in enumerate(ends) if not came_to_its_end):
                take(_dead(index))
        finally:
            for child in children:
                child.kill()  # the pumps end with them


async def _started(children: Sequence[_Child]) -> None:
    """Start all of them, also where that is cancelled: one that starts cannot be killed yet."""

    @signals.held_back()
    def start() -> None:
        for child in children:
            child.start()

    starting = asyncio.ensure_future(asyncio.to_thread(start))
    try:
        await asyncio.shield(starting)
    finally:
        await asyncio.wait({starting})


def _tell(children: Sequence[_Child], begins_at: float | None) -> None:
    for child in children:
        child.tell(begins_at)


class _Child:
    """A process that makes a share of the calls."""

    def __init__(self, plan: Plan, index: int, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, self._theirs = context.Pipe()
        self._process = context.Process(target=_make_share, args=(self._theirs, plan, index, count), daemon=True)

    def start(self) -> None:
        self._process.start()
        self._theirs.close()

    def begun(self) -> None:
        """Return when it is ready.

        Raises:
            RuntimeError: It has ended instead.
        """
        try:
            self._pipe.recv()
        except EOFError as error:
            raise RuntimeError("a process of the rig did not start") from error

    def tell(self, begins_at: float | None) -> None:
        """When to begin, or None: to stop."""
        with contextlib.suppress(OSError):  # it has died, which its pump says
            self._pipe.send(begins_at)

    def pump(self, loop: asyncio.AbstractEventLoop, take: Take) -> bool:
        """Hand on what it says; whether it came to its end."""
        try:
            while (message := self._pipe.recv()) is not None:
                loop.call_soon_threadsafe(take, message)
        except (EOFError, OSError):
            return False
        return True

    def kill(self) -> None:
        if self._process.pid:
            self._process.kill()
            self._process.join()


def _make_share(pipe: Connection, plan: Plan, index: int, count: int) -> None:
    signals.ignore()  # the parent ends its children
    try:
        pipe.send(None)
        asyncio.run(_until_told(pipe, Share(plan, index, count).run(pipe.recv(), pipe.send)))
        pipe.send(None)
    except* (EOFError, OSError):  # the parent has gone
        pass


async def _until_told(pipe: Connection, work: Coroutine[Any, Any, None]) -> None:
    """Await `work`, or stop it when `pipe` says so, or breaks."""
    loop, running = asyncio.get_running_loop(), asyncio.ensure_future(work)

    def listen() -> None:
        with contextlib.suppress(EOFError, OSError):
            pipe.recv()
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(running.cancel)

    threading.Thread(target=listen, daemon=True).start()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _dead(index: int) -> CallRecord:
    return CallRecord(-1, 0.0, faults=[Fault(0.0, "RIG", f"process {index} of the rig died, and its calls with it")])


async def _on_cluster(plan: Plan, take: Take, count: int, address: str) -> None:
    ray = connect(address, "calling from a cluster")
    plan_there = ray.put(plan)
    actors = [ray.remote(num_cpus=1)(ShareActor).remote(plan_there, index, count) for index in range(count)]
    try:
        await asyncio.gather(*(actor.ready.remote() for actor in actors))
        await _stoppable(_collect(actors, take), lambda _: [actor.stop.remote() for actor in actors])
    finally:
        for actor in actors:
            ray.kill(actor)


async def _collect(actors: Sequence[Any], take: Take) -> None:
    begins_at = time.time() + LEAD_S
    runs = [asyncio.ensure_future(_awaited(actor.run.remote(begins_at))) for actor in actors]
    waiting: set[asyncio.Future[Any]] = set(runs)
    while waiting:
        _, waiting = await asyncio.wait(runs, timeout=TAKE_EVERY_S)
        said = (_awaited(actor.take.remote()) for actor in actors)
        for messages in await asyncio.gather(*said, return_exceptions=True):
            for message in messages if isinstance(messages, list) else ():
                take(message)
    for index, one in enumerate(runs):
        if one.exception():
            take(_dead(index))


async def _awaited(reference: Any) -> Any:
    return await reference


class ShareActor:
    """A share on a node of the cluster; what it has to say is taken from it."""

    def __init__(self, plan: Plan, index: int, count: int) -> None:
        self._share = Share(plan, index, count)
        self._messages: list[CallRecord | State] = []
        self._running: asyncio.Future[None] | None = None

    async def ready(self) -> None:
        """Return when the actor runs."""

    async def run(self, begins_at: float) -> None:
        """See :meth:`Share.run`."""
        self._running = asyncio.ensure_future(self._share.run(begins_at, self._messages.append))
        with contextlib.suppress(asyncio.CancelledError):
            await self._running

    async def stop(self) -> None:
        """End the calls that go on; :meth:`run` returns."""
        if self._running:
            self._running.cancel()

    async def take(self) -> list[CallRecord | State]:
        """What has come since the last time."""
        messages, self._messages[:] = list(self._messages), []
        return messages
