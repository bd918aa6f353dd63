"""One beat for every conversation of a process: what is played without a loudspeaker is played by it."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable

logger = logging.getLogger(__name__)

BEAT_S = 0.01
MOST_BEATS = 20  # a program that was held up for longer has lost that time
_SLOTS_A_BEAT = 4
_SLOTS = 2 * _SLOTS_A_BEAT  # until all begins anew: 20 ms, a packet of a voice
_SLOT_S = BEAT_S / _SLOTS_A_BEAT

Beat = Callable[[], None]


class Clock:
    """Calls its listeners every 10 or 20 ms, from a single timer of the event loop.

    Listeners are spread over slots of 2.5 ms, so that their work does not fall together: one slot is one turn of the
    loop, and between two of them everything else has its turn. Slots that come late are made up for one by one; what
    came meanwhile is read between them: a program that is held up for a moment then plays as if it had not been.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop: asyncio.AbstractEventLoop = weakref.proxy(loop)  # its entry below must not keep it
        self._slots: list[dict[Beat, None]] = [{} for _ in range(_SLOTS)]
        self._read_first: Callable[[], None] | None = None
        self._timer: asyncio.Handle | None = None
        self._started_s = 0.0
        self._next = 0  # slot that has listeners, counted from the start

    def listen(self, beat: Beat, *, every: int = 1) -> None:
        """Call `beat` at each beat, or at each second one (`every` is 2), until it is left out."""
        self._take_out(beat)
        period = every * _SLOTS_A_BEAT
        first = min(range(period), key=lambda slot: sum(map(len, self._slots[slot::period])))
        for slot in self._slots[first::period]:
            slot[beat] = None
        self._begin()

    def leave(self, beat: Beat) -> None:
        """Do not call `beat` any more; one that is not called is none of our business."""
        self._take_out(beat)
        if self._timer:
            self._wait_from(self._next)

    @property
    def read_first(self) -> Callable[[], None] | None:
        """Called at each slot of 2.5 ms, before its listeners."""
        return self._read_first

    @read_first.setter
    def read_first(self, read: Callable[[], None] | None) -> None:
        self._read_first = read
        self._begin()

    def now_ms(self) -> float:
        """The event loop's time, which stands still at a beat that is due until its turn has come."""
        if self._timer is None:
            return 1000.0 * self._loop.time()
        return 1000.0 * min(self._loop.time(), self._started_s + self._next * _SLOT_S)

    def _begin(self) -> None:
        if self._timer is None:
            self._started_s, self._next = self._loop.time(), 1
        self._wait_from(self._next)

    def _take_out(self, beat: Beat) -> None:
        for slot in self._slots:
            slot.pop(beat, None)

    def _wait_from(self, number: int) -> None:
        """Set the timer to the first slot, from this one on, in which there is something to do."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        due = (at for at in range(number, number + _SLOTS) if self._slots[at % _SLOTS] or self._read_first)
        self._next = next(due, -1)
        if self._next >= 0:
            at_s = self._started_s + self._next * _SLOT_S
            late = at_s <= self._loop.time()
            self._timer = self._loop.call_soon(self._on_timer) if late else self._loop.call_at(at_s, self._on_timer)

    def _on_timer(self) -> None:
        late_s = self._loop.time() - self._started_s - self._next * _SLOT_S
        self._started_s += max(0.0, late_s - MOST_BEATS * BEAT_S)
        slot = self._slots[self._next % _SLOTS]
        self._wait_from(self._next + 1)
        if self._read_first:
            self._call(self._read_first)
        for beat in list(slot):
            if beat in slot:
                self._call(beat)

    def _call(self, beat: Beat) -> None:
        try:
            beat()
        except Exception:
            logger.exception("%r failed; the others go on", beat)


_clocks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Clock] = weakref.WeakKeyDictionary()


def running_clock() -> Clock:
    """The clock of the running event loop."""
    loop = asyncio.get_running_loop()
    clock = _clocks.get(loop)
    if clock is None:
        clock = _clocks[loop] = Clock(loop)
    return clock
