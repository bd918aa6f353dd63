"""One beat for every conversation of a process: what is played without a loudspeaker is played by it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from weakref import WeakKeyDictionary

logger = logging.getLogger(__name__)

BEAT_S = 0.01
MOST_BEATS = 20  # a program that was held up for longer has lost that time

Beat = Callable[[int], None]


class Clock:
    """Calls its listeners every 10 ms, or every few times that, from a single timer of the event loop.

    A beat that comes late makes up for those that were missed: each listener is told how many are due. Listeners that
    hear only every other beat are spread over the beats, so that their work does not fall together.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._listeners: dict[Beat, tuple[int, int]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._started_s = 0.0
        self._beats = 0

    def listen(self, beat: Beat, *, every: int = 1) -> None:
        """Call `beat` at each `every`-th beat with how many of its turns are due, one or more, until it is left out."""
        phases = [phase for each, phase in self._listeners.values() if each == every]
        self._listeners[beat] = every, min(range(every), key=phases.count)
        if self._timer is None:
            self._started_s, self._beats = self._loop.time(), 0
            self._set_timer()

    def leave(self, beat: Beat) -> None:
        """Do not call `beat` any more; one that is not called is none of our business."""
        self._listeners.pop(beat, None)
        if not self._listeners and self._timer:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self._timer = self._loop.call_at(self._started_s + (self._beats + 1) * BEAT_S, self._on_timer)

    def _on_timer(self) -> None:
        before, self._beats = self._beats, int((self._loop.time() - self._started_s) / BEAT_S + 0.1)
        first = max(before, self._beats - MOST_BEATS)
        for beat, (every, phase) in list(self._listeners.items()):
            turns = (self._beats - phase) // every - (first - phase) // every
            if turns and beat in self._listeners:
                try:
                    beat(turns)
                except Exception:
                    logger.exception("%r failed; the others go on", beat)
        if self._listeners:
            self._set_timer()


_clocks: WeakKeyDictionary[asyncio.AbstractEventLoop, Clock] = WeakKeyDictionary()


def running_clock() -> Clock:
    """The clock of the running event loop."""
    loop = asyncio.get_running_loop()
    clock = _clocks.get(loop)
    if clock is None:
        clock = _clocks[loop] = Clock(loop)
    return clock
