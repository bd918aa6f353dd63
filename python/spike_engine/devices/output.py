"""The loudspeaker as the engine sees it, whatever device it is and even while it is exchanged for another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spike_engine.devices.base import AudioSink, latency_s_of
from spike_engine.devices.stand_ins import Silence
from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter
from spike_engine.errors import MediaError
from spike_engine.lifetime import Slot

_NOTHING = np.zeros(0, np.float32)


class Gate(Protocol):
    """Gives what is to be heard now, mono float32 at 48 kHz, and is shut and opened without a click.

    Attributes:
        held: While True, nothing is heard. A live voice goes on meanwhile, a queue waits.
        paused: While True, nothing is heard, and everything waits.
        volume: 1 is as it came, 0 is silence.
    """

    held: bool
    paused: bool
    volume: float

    @property
    def pull(self) -> Callable[..., None]:
        """Takes an array of shape ``(n,)`` to fill, and a ring for the same; in the loudspeaker's thread."""

    def flush(self) -> None:
        """Let nothing be heard of what has come up to now."""


class Output:
    """Mono float32 at 48 kHz on one side, an :class:`AudioSink` of any rate on the other.

    Sound is written to it as it comes or, better, pulled from a gate: by the loudspeaker itself, where it can do so
    (``play_from``), else by whoever calls `feed`. Silent until it has a loudspeaker, after its end, and after the error
    of a loudspeaker that is gone. Whether it is held or paused, and its volume, outlive loudspeakers and gates.

    Args:
        on_error: Takes that error.
        close_limit_s: How long a loudspeaker may take to close.
    """

    def __init__(self, on_error: Callable[[MediaError], None], close_limit_s: float) -> None:
        self._held = self._paused = False
        self._volume = 1.0
        self._waiting: list[NDArray[np.float32]] = []
        self._on_error = on_error
        self._gate: Gate | None = None
        self._pulls = False  # the loudspeaker does, by itself
        self._slot: Slot[AudioSink] = Slot(close_limit_s)
        self._to_far_end = RateConverter()
        self._use(self.stand_in())

    @property
    def held(self) -> bool:
        """While True, nothing is heard of what comes: see :class:`Gate`."""
        return self._held

    @held.setter
    def held(self, held: bool) -> None:
        self._held = held
        if self._gate:
            self._gate.held = held

    @property
    def volume(self) -> float:
        """How loud a gate is played: 1 is as it came, 0 is silence."""
        return self._volume

    @volume.setter
    def volume(self, volume: float) -> None:
        if self._gate:
            self._gate.volume = volume
        self._volume = volume

    @property
    def paused(self) -> bool:
        """While True, what comes waits, and is heard afterwards."""
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._paused = paused
        if self._gate:
            self._gate.paused = paused
        waiting, self._waiting = self._waiting, []
        for voice in waiting:
            self.write(voice)

    @property
    def device(self) -> AudioSink:
        """What is played on."""
        return self._sink

    @property
    def latency_s(self) -> float:
        """From what is pulled or written to what is heard, as the loudspeaker says it; 0 where it says nothing."""
        return latency_s_of(self._sink)

    def play_from(self, gate: Gate | None) -> None:
        """Play what `gate` gives from now on; None ends it."""
        self._disconnect()
        self._gate = gate
        if gate:
            gate.held, gate.paused, gate.volume = self._held, self._paused, self._volume
            self._connect()

    def feed(self, samples: int) -> None:
        """The time of so many samples has passed: supply a loudspeaker that does not pull by itself from the gate."""
        if self._gate is None or self._pulls:
            self._write(_NOTHING)  # a loudspeaker that is gone says so when something is written
            return
        block = np.empty(samples, np.float32)
        self._gate.pull(block)
        self._write(block)

    def write(self, voice: NDArray[np.float32]) -> None:
        """Queue `voice` for playing."""
        if self._paused:
            self._waiting.append(voice)
        elif not self._held:
            self._write(voice)

    def played(self, samples: int, rate_hz: int) -> NDArray[np.float32]:
        """What left the loudspeaker meanwhile, `samples` at `rate_hz`: the echo canceller's far end."""
        if rate_hz != self._to_far_end.to_hz:
            self._to_far_end = RateConverter(rate_hz)
        sink_hz = self._sink.sample_rate_hz
        return self._to_far_end(self._sink.played(samples * sink_hz // rate_hz), sink_hz)

    def flush(self) -> None:
        """Fall silent at once."""
        self._waiting.clear()
        self._sink.flush()
        if self._gate:
            self._gate.flush()

    async def replace(self, sink: AudioSink) -> None:
        """Play on `sink`, which has been started, from the next block on and close the one before.

        When this is closed, `sink` has come too late and is closed itself.
        """
        if sink is not self._sink:
            self._use(sink)
            await self._slot.settled()

    def stand_in(self) -> AudioSink:
        """Silence."""
        return Silence()

    async def close(self) -> None:
        """Free the loudspeaker; may be called twice."""
        self.play_from(None)
        self._use(self.stand_in())
        await self._slot.close()

    def _use(self, sink: AudioSink) -> None:
        self._disconnect()
        if self._slot.exchange(sink):
            self._sink = sink
            self._to_sink = RateConverter(sink.sample_rate_hz)
            self._to_far_end = RateConverter(self._to_far_end.to_hz)
        self._connect()

    def _connect(self) -> None:
        if self._gate is not None:
            play_from = getattr(self._sink, "play_from", None)
            self._pulls = bool(play_from and play_from(self._gate.pull))

    def _disconnect(self) -> None:
        if self._gate is not None:
            self._pulls = False
            if play_from := getattr(self._sink, "play_from", None):
                play_from(None)

    def _write(self, voice: NDArray[np.float32]) -> None:
        try:
            self._sink.write(self._to_sink(voice, ENGINE_RATE_HZ))
        except MediaError as error:
            self._use(self.stand_in())
            self._on_error(error)
