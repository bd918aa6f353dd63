"""One beat for every conversation of a process: what is played without a loudspeaker is played by it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from weakref import WeakKeyDictionary

logger = logging.getLogger(__name__)

BEAT_S = 0.01
BEATS_AT_ONCE = 2  # in one turn of the loop asyncio reads one packet of a socket, and those of a voice are 20 ms long
MOST_BEATS = 20  # a program that was held up for longer has lost that time

Beat = Callable[[], None]


class Clock:
    """Calls its listeners every 10 ms, or every few times that, from a single timer of the event loop.

    Beats that come late are made up for two by two, with a turn of the loop between them, in which what came meanwhile
    is read: a program that is held up for a moment then plays as if it had not been. Listeners that hear only every
    other beat are spread over the beats, so that their work does not fall together.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._listeners: dict[Beat, tuple[int, int]] = {}
        self._timer: asyncio.Handle | None = None
        self._started_s = 0.0
        self._beats = 0

    def listen(self, beat: Beat, *, every: int = 1) -> None:
        """Call `beat` at each `every`-th beat, until it is left out."""
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

    def now_ms(self) -> float:
        """The event loop's time, which stands still at a beat that is due until its turn has come."""
        if self._timer is None:
            return 1000.0 * self._loop.time()
        return 1000.0 * min(self._loop.time(), self._started_s + (self._beats + 1) * BEAT_S)

    def _set_timer(self) -> None:
        at_s = self._started_s + (self._beats + 1) * BEAT_S
        late = at_s <= self._loop.time()
        self._timer = self._loop.call_soon(self._on_timer) if late else self._loop.call_at(at_s, self._on_timer)

    def _on_timer(self) -> None:
        due = int((self._loop.time() - self._started_s) / BEAT_S)
        if due - self._beats > MOST_BEATS:
            self._started_s += (due - self._beats - MOST_BEATS) * BEAT_S
        for _ in range(min(due - self._beats, BEATS_AT_ONCE) or 1):
            self._beat()
        if self._listeners:
            self._set_timer()

    def _beat(self) -> None:
        self._beats += 1
        for beat, (every, phase) in list(self._listeners.items()):
            if self._beats % every == phase and beat in self._listeners:
                try:
                    beat()
                except Exception:
                    logger.exception("%r failed; the others go on", beat)


_clocks: WeakKeyDictionary[asyncio.AbstractEventLoop, Clock] = WeakKeyDictionary()


def running_clock() -> Clock:
    """The clock of the running event loop."""
    loop = asyncio.get_running_loop()
    clock = _clocks.get(loop)
    if clock is None:
        clock = _clocks[loop] = Clock(loop)
    return clock
