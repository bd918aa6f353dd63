"""What is to be played, and how much of it has been heard."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp
from spike_engine.dsp.rates import ENGINE_RATE_HZ

Samples = NDArray[np.float32]

_AHEAD_SAMPLES = ENGINE_RATE_HZ // 5  # what lies ready for the loudspeaker's thread
_FADE = np.linspace(1.0, 0.0, ENGINE_RATE_HZ // 200, dtype=np.float32)  # 5 ms
_REMEMBERED = 64  # utterances


class Player:
    """A queue of mono float32 at 48 kHz between a program's threads and the loudspeaker's.

    It is a :class:`~spike_engine.devices.output.Gate`. `pull` is the loudspeaker's, everything else may be used from
    any thread. What is cut off fades within 5 ms, and a pause ends with the sample after the last one that was heard.

    Attributes:
        paused, held: While one of them is True, it holds still; nothing is lost.
        underruns: Blocks that ran dry in the middle of an utterance.
    """

    def __init__(self) -> None:
        self.paused = self.held = False
        self.underruns = 0
        self._render = dsp.RenderPipeline(ENGINE_RATE_HZ)
        self._ready = dsp.Ring(_AHEAD_SAMPLES)
        self._waiting: deque[Samples] = deque()
        self._lock = threading.Lock()
        self._utterances: dict[Hashable, list[int]] = {}  # where each begins and ends, in samples ever queued
        self._queued = 0  # samples ever
        self._taken = 0  # samples ever, by the loudspeaker
        self._numbered = 0
        self._flushed_at = 0
        self._flushing = False
        self._last = np.float32(0.0)

    @property
    def volume(self) -> float:
        """1 plays as it came, 0 is silence, up to 4."""
        return self._render.gain

    @volume.setter
    def volume(self, volume: float) -> None:
        self._render.gain = volume

    @property
    def queued_samples(self) -> int:
        """What still waits to be heard."""
        return self._queued - self._taken

    def play(self, samples: Samples, utterance: Hashable | None = None) -> Hashable:
        """Queue `samples` behind what is queued; returns the utterance that they belong to.

        Without a name they go on with the last utterance while some of it is still to be heard, and else begin another.
        """
        with self._lock:
            if utterance is None:
                utterance = self._going_on()
            begin_end = self._utterances.setdefault(utterance, [self._queued, self._queued])
            self._waiting.append(np.array(samples, np.float32))
            self._queued += len(samples)
            begin_end[1] = self._queued
            while len(self._utterances) > _REMEMBERED:
                del self._utterances[next(iter(self._utterances))]
        self.top_up()
        return utterance

    def top_up(self) -> None:
        """Move what fits to where the loudspeaker takes it from; to be called a few times a second."""
        with self._lock:
            while self._waiting and not self._flushing:
                pushed = self._ready.push(self._waiting[0])
                if pushed < len(self._waiting[0]):
                    self._waiting[0] = self._waiting[0][pushed:]
                    return
                self._waiting.popleft()

    def flush(self) -> None:
        """Drop everything that has not been heard."""
        with self._lock:
            self._waiting.clear()
            self._flushed_at = self._queued
            self._flushing = True  # the loudspeaker's thread clears what lies ready

    def heard_samples(self, utterance: Hashable | None = None, latency_samples: int = 0) -> int:
        """How much of an utterance, by default of the last one, has left the loudspeaker; 0 for one that is unknown."""
        with self._lock:
            if utterance is None and self._utterances:
                utterance = next(reversed(self._utterances))
            begin, end = self._utterances.get(utterance, (0, 0))
        still_sounding = latency_samples if self._taken > begin else 0
        return max(0, min(self._taken - still_sounding, end) - begin)

    def pull(self, out: Samples, tee: dsp.Ring | None = None) -> None:
        """Fill `out` with what is to be heard now, and queue it in `tee` as well."""
        if self._flushing:
            self._drop()
        still = self.paused or self.held
        count = 0 if still else self._ready.pop(out)
        if count < len(out):
            out[count:] = 0.0
            fade = _FADE[: len(out) - count]
            out[count : count + len(fade)] = (out[count - 1] if count else self._last) * fade
            self.underruns += not still and count > 0 and bool(self._waiting)
        self._taken += count
        self._last = out[-1] if count == len(out) else np.float32(0.0)
        self._render.process(out.copy(), out=out)
        if tee is not None:
            tee.push(out)

    def _drop(self) -> None:
        """Clear what lies ready, and close the gap that this leaves in the count of samples."""
        with self._lock:
            self._ready.clear()
            taken, gap = self._taken, self._flushed_at - self._taken
            for begin_end in self._utterances.values():
                begin_end[:] = [at - gap if at > self._flushed_at else min(at, taken) for at in begin_end]
            self._queued -= gap
            self._flushing = False

    def _going_on(self) -> Hashable:
        if self._utterances and self._queued > (self._flushed_at if self._flushing else self._taken):
            return next(reversed(self._utterances))
        self._numbered += 1
        return self._numbered
