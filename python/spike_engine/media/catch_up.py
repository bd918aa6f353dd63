"""What the user said while the network was cut, sent afterwards."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from spike_engine import _core
from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.webrtc.network_path import CUT_AFTER_S, Counters, CutWatch, Sight

SPEED = 1.25
KEPT_S = 16.0  # ten for the network to come back, the rest to notice, to connect anew, and for a word before the cut
BLOCK_S = 0.02
BLOCK_SAMPLES = ENGINE_RATE_HZ // 50
KEPT_BLOCKS = round(KEPT_S / BLOCK_S)
PAUSE_AFTER_BLOCKS, PAUSE_BEFORE_BLOCKS = 15, 10  # of silence, are kept behind and before what was said
IN_FLIGHT_BLOCKS = 4  # besides a round trip's: in queues here and there, of machines that are busy
# So far back the beginning of a word is looked for, where the voice is quietest. Less than the longest words takes a
# pause inside of them for it: half a second cuts off the beginning in every seventh cut.
WORD_BLOCKS, NEARLY_AS_QUIET = 40, 4.0
SEAM_SAMPLES = ENGINE_RATE_HZ // 200

Block = NDArray[np.float32]


class CatchUp:
    """A voice on its way to the network, which waits while the network is cut and then makes up for it.

    As long as the network carries it, each block is sent as it comes. What was said since the peer was last known to
    hear is kept, up to 16 s of it. It is sent again after a cut at 1.25 times its speed and its own pitch
    (``_core.SpeedUp``), its pauses shortened to half a second, until the voice is live again. Blocks are mono float32,
    20 ms at 48 kHz.

    Attributes:
        caught_up_ms: How much was sent late, of what was said.
        lost_ms: How much was too old to be sent, of what was said.
    """

    def __init__(self) -> None:
        self.caught_up_ms = 0.0
        self.lost_ms = 0.0
        self._kept: deque[tuple[Block, bool]] = deque(maxlen=KEPT_BLOCKS)
        # Numbers of blocks: how many have come, have been sent, and have certainly got through.
        self._came = self._sent = self._safe = 0
        self._away = False
        self._watch = CutWatch()
        self._speed_up = _core.SpeedUp(ENGINE_RATE_HZ, SPEED)
        self._made: Block = np.zeros(0, np.float32)  # ready to be sent
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()

    @property
    def behind_ms(self) -> float:
        """How much waits to be sent."""
        return 1000 * BLOCK_S * (self._came - self._sent)

    def away(self) -> None:
        """There is no connection from now on: keep everything."""
        self._away = True
        self._waiting.clear()
        if self._watch.quiet_s >= CUT_AFTER_S:
            self._rewind()

    def back(self) -> None:
        """There is a new connection, and the peer listens."""
        self._away = False
        self._watch = CutWatch()

    def when_sent(self, call: Callable[[], None]) -> None:
        """Call `call` when all that was said up to now is sent; at once where nothing of that waits."""
        first = len(self._kept) - (self._came - self._sent)
        if all(quiet for _, quiet in islice(self._kept, first, None)):
            call()
        else:
            self._waiting.append((self._came, call))

    def next(self, block: Block, *, quiet: bool, path: Counters | None, now_s: float) -> Block:
        """Take what was captured and give what is to be sent in its place.

        Args:
            block: Mono float32, 20 ms at 48 kHz.
            quiet: Nobody talks in it.
            path: The way to the peer; None where nothing is known of it.
            now_s: On a clock that never jumps.
        """
        self._keep(block, quiet)
        sight = Sight.HEARD if self._away or path is None else self._watch.look(path, now_s)
        if sight is Sight.LOST:
            self._rewind()
        if self._away or sight is Sight.CUT:
            return np.zeros_like(block)
        out = self._live(block, quiet) if self._came - self._sent == 1 else self._faster()
        if sight is Sight.HEARD:
            flight_s = path.round_trip_s + IN_FLIGHT_BLOCKS * BLOCK_S if path else 0.0
            self._safe = max(self._safe, self._sent - math.ceil(flight_s / BLOCK_S))
            while len(self._kept) > self._came - self._safe + WORD_BLOCKS:
                self._kept.popleft()
        while self._waiting and self._waiting[0][0] <= self._sent:
            self._waiting.popleft()[1]()
        return out

    def _keep(self, block: Block, quiet: bool) -> None:
        if len(self._kept) == KEPT_BLOCKS and self._sent == self._came - KEPT_BLOCKS:
            self.lost_ms += 0.0 if self._kept[0][1] else 1000 * BLOCK_S
            self._sent += 1
        self._kept.append((block, quiet))
        self._came += 1

    def _rewind(self) -> None:
        """Go back to what the peer may not have heard, and to the beginning of the word in which that began."""
        at = max(0, len(self._kept) - (self._came - self._safe))
        first = max(0, at - WORD_BLOCKS)
        power = [float(np.dot(block, block)) for block, _ in islice(self._kept, first, at + 1)]
        quietest = max(n for n, each in enumerate(power) if each <= NEARLY_AS_QUIET * min(power))
        self._sent = min(self._sent, self._came - len(self._kept) + first + quietest)
        self._speed_up.drain()
        self._made = self._made[:0]

    def _live(self, block: Block, quiet: bool) -> Block:
        self._sent = self._came
        if not len(self._made):
            return block
        made, self._made = self._made, self._made[:0]
        if quiet:  # the last few milliseconds of delay go where nobody hears it
            return _crossfaded(made, block)
        return self._next_of(made, block)

    def _faster(self) -> Block:
        parts, count = [self._made], len(self._made)
        while count < BLOCK_SAMPLES and self._sent < self._came:
            if not self._is_skipped():
                parts.append(self._speed_up.process(self._kept[self._sent - self._came][0]))
                count += len(parts[-1])
                self.caught_up_ms += 0.0 if self._kept[self._sent - self._came][1] else 1000 * BLOCK_S
            self._sent += 1
        if self._sent == self._came:
            parts.append(self._speed_up.drain())
        return self._next_of(*parts)

    def _next_of(self, *parts: Block) -> Block:
        made = np.concatenate(parts)
        out, self._made = made[:BLOCK_SAMPLES], made[BLOCK_SAMPLES:]
        return np.pad(out, (0, BLOCK_SAMPLES - len(out)))

    def _is_skipped(self) -> bool:
        """Whether the next block lies in a pause, farther from what was said than a listener needs to tell it ends."""
        at = len(self._kept) - (self._came - self._sent)
        if at + PAUSE_BEFORE_BLOCKS >= len(self._kept):
            return False  # who knows what follows
        around = islice(self._kept, max(0, at - PAUSE_AFTER_BLOCKS), at + PAUSE_BEFORE_BLOCKS + 1)
        return all(quiet for _, quiet in around)


def _crossfaded(made: Block, block: Block) -> Block:
    out = block.copy()
    count = min(len(made), SEAM_SAMPLES)
    share = np.arange(1, count + 1, dtype=np.float32) / (count + 1)
    out[:count] = share * block[:count] + (1 - share) * made[:count]
    return out
