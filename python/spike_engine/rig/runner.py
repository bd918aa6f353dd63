"""Spreads the calls over this process, several, or a Ray cluster, and collects what became of them."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable
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

Take = Callable[[Any], None]


async def run(plan: Plan, take: Take, *, processes: int = 1, cluster: str | None = None) -> None:
    """Make all calls of `plan`; `take` is given each :class:`CallRecord` and :class:`State` as they come.

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
        await Share(plan, 0, 1).run(time.time(), take)
    else:
        await _in_processes(plan, take, processes)


async def _in_processes(plan: Plan, take: Take, count: int) -> None:
    context = multiprocessing.get_context("spawn")
    loop = asyncio.get_running_loop()
    pipes, children = [], []
    for index in range(count):
        ours, theirs = context.Pipe()
        child = context.Process(target=_make_share, args=(theirs, plan, index, count), daemon=True)
        await asyncio.to_thread(signals.held_back()(child.start))
        theirs.close()
        pipes.append(ours)
        children.append(child)
    with ThreadPoolExecutor(count, "rig") as threads:
        try:
            ready = [loop.run_in_executor(threads, _received, pipe) for pipe in pipes]
            await asyncio.gather(*ready)
            begins_at = time.time() + LEAD_S
            for pipe in pipes:
                pipe.send(begins_at)
            outcomes = [loop.run_in_executor(threads, _pump, pipe, loop, take) for pipe in pipes]
            for index, finished in enumerate(await asyncio.gather(*outcomes)):
                if not finished:
                    take(_dead(index))
        finally:
            for child in children:
                child.kill()  # the pumps end with them
    for child in children:
        child.join()


def _make_share(pipe: Connection, plan: Plan, index: int, count: int) -> None:
    signals.ignore()  # the parent ends its children
    share = Share(plan, index, count)
    pipe.send(None)
    asyncio.run(share.run(pipe.recv(), pipe.send))
    pipe.send(None)


def _received(pipe: Connection) -> None:
    try:
        pipe.recv()
    except EOFError as error:
        raise RuntimeError("a process of the rig did not start") from error


def _pump(pipe: Connection, loop: asyncio.AbstractEventLoop, take: Take) -> bool:
    """Hand on what a process says; whether it came to its end."""
    try:
        while (message := pipe.recv()) is not None:
            loop.call_soon_threadsafe(take, message)
    except (EOFError, OSError):
        return False
    return True


def _dead(index: int) -> CallRecord:
    return CallRecord(-1, 0.0, faults=[Fault(0.0, "RIG", f"process {index} of the rig died, and its calls with it")])


async def _on_cluster(plan: Plan, take: Take, count: int, address: str) -> None:
    ray = connect(address, "calling from a cluster")
    plan_there = ray.put(plan)
    actors = [ray.remote(num_cpus=1)(ShareActor).remote(plan_there, index, count) for index in range(count)]
    try:
        await asyncio.gather(*(actor.ready.remote() for actor in actors))
        begins_at = time.time() + LEAD_S
        runs = [asyncio.ensure_future(_awaited(actor.run.remote(begins_at))) for actor in actors]
        while True:
            _, waiting = await asyncio.wait(runs, timeout=TAKE_EVERY_S)
            for messages in await asyncio.gather(
                *(_awaited(actor.take.remote()) for actor in actors), return_exceptions=True
            ):
                for message in messages if isinstance(messages, list) else ():
                    take(message)
            if not waiting:
                break
        for index, one in enumerate(runs):
            if one.exception():
                take(_dead(index))
    finally:
        for actor in actors:
            ray.kill(actor)


async def _awaited(reference: Any) -> Any:
    return await reference


class ShareActor:
    """A share on a node of the cluster; what it has to say is taken from it."""

    def __init__(self, plan: Plan, index: int, count: int) -> None:
        self._share = Share(plan, index, count)
        self._messages: list[CallRecord | State] = []

    async def ready(self) -> None:
        """Return when the actor runs."""

    async def run(self, begins_at: float) -> None:
        """See :meth:`Share.run`."""
        await self._share.run(begins_at, self._messages.append)

    async def take(self) -> list[CallRecord | State]:
        """What has come since the last time."""
        messages, self._messages[:] = list(self._messages), []
        return messages
