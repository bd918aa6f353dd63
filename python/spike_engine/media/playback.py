"""The loudspeaker as the engine sees it, whatever device it is and even while it is exchanged for another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spike_engine.devices import AudioSink
from spike_engine.devices.stand_ins import Silence
from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter
from spike_engine.errors import MediaError
from spike_engine.lifetime import Slot
from spike_engine.media.listener import CLOSE_LIMIT_S, MediaListener


class Playback:
    """Mono float32 at 48 kHz on one side, an :class:`~spike_engine.devices.AudioSink` of any rate on the other.

    Silent until it has a loudspeaker, after its end, and after the error of a loudspeaker that is gone.

    Args:
        listener: Hears that error.

    Attributes:
        held: While True, what is written is dropped.
    """

    def __init__(self, listener: MediaListener) -> None:
        self.held = False
        self._listener = listener
        self._slot: Slot[AudioSink] = Slot(CLOSE_LIMIT_S)
        self._use(self.stand_in())

    def write(self, voice: NDArray[np.float32]) -> None:
        """Queue `voice` for playing."""
        if self.held:
            return
        try:
            self._sink.write(self._to_sink(voice, ENGINE_RATE_HZ))
        except MediaError as error:
            self._use(self.stand_in())
            self._listener.on_error(error)

    def played(self, samples: int) -> NDArray[np.float32]:
        """What left the loudspeaker in the time of `samples`: the echo canceller's far end."""
        rate_hz = self._sink.sample_rate_hz
        return self._to_engine(self._sink.played(samples * rate_hz // ENGINE_RATE_HZ), rate_hz)

    @property
    def sink(self) -> AudioSink:
        """What is played on."""
        return self._sink

    def flush(self) -> None:
        """Fall silent at once."""
        self._sink.flush()

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
        self._use(self.stand_in())
        await self._slot.close()

    def _use(self, sink: AudioSink) -> None:
        if self._slot.exchange(sink):
            self._sink = sink
            self._to_sink = RateConverter(sink.sample_rate_hz)
            self._to_engine = RateConverter()
