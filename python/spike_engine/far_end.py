"""What left the loudspeaker, kept for the echo canceller."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp

HOLD_UP_S = 0.5  # for so long the event loop may be held up and lose nothing; keeping more would only be delay


class FarEnd:
    """Samples from the loudspeaker's callback to the microphone's reader, never later than they have to be.

    A canceller can take out an echo that comes after its far end, not one that comes before. So what lies here without
    ever being needed, since the microphone was opened later or the two devices do not keep step, is dropped: at the
    first call, and then whenever a second has shown it.

    Args:
        sample_rate_hz: Of the loudspeaker.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self.ring = dsp.Ring(round(HOLD_UP_S * sample_rate_hz))  # the callback's side: it pushes
        self._margin = sample_rate_hz // 200
        self._checked_every = sample_rate_hz
        self._until_check = 0
        self._least_left = self.ring.capacity

    def next(self, samples: int) -> NDArray[np.float32]:
        """The next `samples` samples, zeros where nothing was played."""
        self._least_left = min(self._least_left, self.ring.available - samples)
        self._until_check -= samples
        if self._until_check <= 0:
            if self._least_left > self._margin:
                self.ring.pop(np.empty(self._least_left, np.float32))
            self._least_left, self._until_check = self.ring.capacity, self._checked_every
        block = np.empty(samples, np.float32)
        self.ring.pop(block)
        return block
