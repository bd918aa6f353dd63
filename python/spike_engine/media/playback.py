"""The loudspeaker as the engine sees it, whatever device it is and even while it is exchanged for another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spike_engine.devices import AudioSink
from spike_engine.devices.stand_ins import Silence
from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter
from spike_engine.errors import MediaError


class Playback:
    """Mono float32 at 48 kHz on one side, an :class:`~spike_engine.devices.AudioSink` of any rate on the other.

    Args:
        sink: A loudspeaker that has been started.
        on_error: Takes the error of a loudspeaker that is gone; silence takes its place.

    Attributes:
        held: While True, what is written is dropped.
    """

    def __init__(self, sink: AudioSink, *, on_error: Callable[[MediaError], None]) -> None:
        self.held = False
        self._on_error = on_error
        self._closing: asyncio.Task[None] | None = None
        self._use(sink)

    def write(self, voice: NDArray[np.float32]) -> None:
        """Queue `voice` for playing."""
        if self.held:
            return
        try:
            self._sink.write(self._to_sink(voice, ENGINE_RATE_HZ))
        except MediaError as error:
            self._closing = asyncio.ensure_future(self._sink.close())
            self._use(Silence())
            self._on_error(error)

    def played(self, samples: int) -> NDArray[np.float32]:
        """What left the loudspeaker in the time of `samples`: the echo canceller's far end."""
        rate_hz = self._sink.sample_rate_hz
        return self._to_engine(self._sink.played(samples * rate_hz // ENGINE_RATE_HZ), rate_hz)

    def flush(self) -> None:
        """Fall silent at once."""
        self._sink.flush()

    async def replace(self, sink: AudioSink) -> None:
        """Play on `sink`, which has been started, from the next block on and close the one before."""
        before = self._sink
        self._use(sink)
        await before.close()

    async def close(self) -> None:
        """Free the loudspeaker."""
        if self._closing:
            await self._closing
        await self._sink.close()

    def _use(self, sink: AudioSink) -> None:
        self._sink = sink
        self._to_sink = RateConverter(sink.sample_rate_hz)
        self._to_engine = RateConverter()
