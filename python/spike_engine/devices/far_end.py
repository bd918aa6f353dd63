"""What left the loudspeaker, kept for the echo canceller."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp

HOLD_UP_S = 0.5  # for so long the event loop may be held up and lose nothing; keeping more would only be delay


class FarEnd:
    """Samples from the loudspeaker's callback to the microphone's reader, hardly later than they have to be.

    A canceller can take out an echo that comes after its far end, not one that comes before. So what lies here without
    ever being needed, since the microphone was opened later or the two devices do not keep step, is dropped: at the
    first call, and then whenever a second has shown it. But a callback that comes late must not move the far end to
    and fro, for each time the canceller has to learn its delay again: after a gap as much is held back as was missing,
    up to 20 ms, which is less than two devices need from one to the other.

    Args:
        sample_rate_hz: Of the loudspeaker.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self.ring = dsp.Ring(round(HOLD_UP_S * sample_rate_hz))  # the callback's side: it pushes
        self._second = sample_rate_hz
        self._held_back = 0
        self._until_check = 0
        self._least_left = self.ring.capacity

    def next(self, samples: int) -> NDArray[np.float32]:
        """The next `samples` samples, zeros where nothing was played."""
        left = self.ring.available - samples
        self._least_left = min(self._least_left, left)
        self._until_check -= samples
        if self._until_check <= 0:
            self._check(self._second)
        elif left < 0:  # the rest comes late or, where the devices have stopped, too late
            self._held_back = min(self._held_back - left, self._second // 50)
            self._least_left, self._until_check = self.ring.capacity, self._second // 5
        block = np.empty(samples, np.float32)
        self.ring.pop(block)
        return block

    def _check(self, next_after: int) -> None:
        surplus = self._least_left - self._held_back
        if surplus > self._second // 200:
            self.ring.pop(np.empty(surplus, np.float32))
        self._least_left, self._until_check = self.ring.capacity, next_after
