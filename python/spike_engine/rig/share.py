"""The calls that one process makes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spike_engine.rig.caller import call
from spike_engine.rig.plan import Plan
from spike_engine.server.workers.load import LoadMeter

REPORT_EVERY_S = 1.0
LOOK_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class State:
    """How one process fares.

    Attributes:
        share: Its number.
        active: Calls that go on.
        lag_ms: How late its event loop is. What comes late here is not the server's doing.
        held: Calls that should have begun, and wait until the loop is in time again.
    """

    share: int
    active: int
    lag_ms: float
    held: int


Say = Callable[[Any], None]


class Share:
    """Every `count`-th call of `plan`, from number `index` on."""

    def __init__(self, plan: Plan, index: int, count: int) -> None:
        self._plan = plan
        self._index = index
        self._numbers = range(index, plan.sessions, count)
        self._active = self._held = 0
        self._meter = LoadMeter(lambda: self._active)

    async def run(self, begins_at: float, say: Say) -> None:
        """Make the calls; `say` is given each :class:`CallRecord`, and a :class:`State` every second.

        Where it is cancelled, the calls that go on are ended, and their records are said, too.

        Args:
            begins_at: When the run begins for all processes, in seconds since the epoch.
            say: Takes them, at once.
        """
        began = asyncio.get_running_loop().time() + begins_at - time.time()
        measuring = asyncio.create_task(self._meter.run())
        reporting = asyncio.create_task(self._report(say))
        try:
            async with asyncio.TaskGroup() as group:
                for number in self._numbers:
                    await self._wait(began + number / self._plan.per_second)
                    group.create_task(self._call(number, began, say))
        finally:
            measuring.cancel()
            reporting.cancel()
            await asyncio.gather(measuring, reporting, return_exceptions=True)

    async def _wait(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, due - loop.time()))
        while self._meter.load().late:  # one more would spoil the figures of all
            self._held = 1 + int((loop.time() - due) * self._plan.per_second / self._numbers.step)
            await asyncio.sleep(LOOK_AGAIN_S)
        self._held = 0

    async def _call(self, number: int, began: float, say: Say) -> None:
        self._active += 1
        try:
            await call(self._plan, number, began, say)
        finally:
            self._active -= 1

    async def _report(self, say: Say) -> None:
        while True:
            say(State(self._index, self._active, self._meter.load().lag_ms, self._held))
            await asyncio.sleep(REPORT_EVERY_S)
