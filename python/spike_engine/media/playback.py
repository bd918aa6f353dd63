"""The loudspeaker as the engine sees it, whatever device it is and even while it is exchanged for another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spike_engine import _core
from spike_engine.devices import AudioSink
from spike_engine.devices.stand_ins import Silence
from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter
from spike_engine.errors import MediaError
from spike_engine.lifetime import Slot
from spike_engine.media.listener import CLOSE_LIMIT_S, MediaListener
from spike_engine.webrtc.clock import running_clock

if TYPE_CHECKING:
    from spike_engine.webrtc.remote_voice import RemoteVoice

FRAME_SAMPLES = ENGINE_RATE_HZ // 50
_BEAT_SAMPLES = ENGINE_RATE_HZ // 100
_NOTHING = np.zeros(0, np.float32)


class Playback:
    """Mono float32 at 48 kHz on one side, an :class:`~spike_engine.devices.AudioSink` of any rate on the other.

    Sound is written to it as it comes or, better, pulled from a voice: by the loudspeaker itself, where it can do so
    (``play_from``), else by the process's clock. Silent until it has a loudspeaker, after its end, and after the error
    of a loudspeaker that is gone.

    Args:
        listener: Hears that error.
    """

    def __init__(self, listener: MediaListener) -> None:
        self._held = False
        self._volume = 1.0
        self._paused = False
        self._waiting: list[NDArray[np.float32]] = []
        self._listener = listener
        self._voice: RemoteVoice | None = None
        self._gate: _core.VoiceGate | None = None
        self._on_played: Callable[[NDArray[np.float32]], None] | None = None
        self._slot: Slot[AudioSink] = Slot(CLOSE_LIMIT_S)
        self._to_far_end = RateConverter()
        self._use(self.stand_in())

    @property
    def held(self) -> bool:
        """While True, nothing is heard of what comes."""
        return self._held

    @held.setter
    def held(self, held: bool) -> None:
        self._held = held
        if self._gate:
            self._gate.held = held

    @property
    def volume(self) -> float:
        """How loud a followed voice is played: 1 is as it came, 0 is silence."""
        return self._volume

    @volume.setter
    def volume(self, volume: float) -> None:
        self._volume = volume
        if self._gate:
            self._gate.volume = volume

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

    def write(self, voice: NDArray[np.float32]) -> None:
        """Queue `voice` for playing."""
        if self._paused:
            self._waiting.append(voice)
        elif not self._held:
            self._write(voice)

    def follow(self, voice: RemoteVoice, on_played: Callable[[NDArray[np.float32]], None]) -> None:
        """Play `voice` from now on, each 20 ms of it, once played, being handed to `on_played`."""
        self.unfollow()
        self._voice, self._on_played = voice, on_played
        self._gate = _core.VoiceGate(voice.receiver, ENGINE_RATE_HZ)
        self._gate.held, self._gate.paused, self._gate.volume = self._held, self._paused, self._volume
        self._connect()

    def unfollow(self) -> None:
        """Pull no more."""
        self._disconnect()
        self._gate = self._voice = self._on_played = None

    def played(self, samples: int, rate_hz: int) -> NDArray[np.float32]:
        """What left the loudspeaker meanwhile, `samples` at `rate_hz`: the echo canceller's far end."""
        if rate_hz != self._to_far_end.to_hz:
            self._to_far_end = RateConverter(rate_hz)
        sink_hz = self._sink.sample_rate_hz
        return self._to_far_end(self._sink.played(samples * sink_hz // rate_hz), sink_hz)

    @property
    def latency_s(self) -> float:
        """From what is pulled or written to what is heard, as the loudspeaker says it; 0 where it says nothing."""
        return float(getattr(self._sink, "latency_s", 0.0))

    @property
    def device(self) -> AudioSink:
        """What is played on."""
        return self._sink

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
        self.unfollow()
        self._use(self.stand_in())
        await self._slot.close()

    def _use(self, sink: AudioSink) -> None:
        if self._gate:
            self._disconnect()
        if self._slot.exchange(sink):
            self._sink = sink
            self._to_sink = RateConverter(sink.sample_rate_hz)
            self._to_far_end = RateConverter()
        if self._gate:
            self._connect()

    def _connect(self) -> None:
        assert self._gate is not None
        assert self._voice is not None
        play_from = getattr(self._sink, "play_from", None)
        pulls = bool(play_from and play_from(self._gate.pull))
        self._voice.pulled_by_clock = not pulls
        if pulls:
            running_clock().listen(self._look_after, every=2)
        else:  # one that nobody hears has time
            running_clock().listen(self._feed, every=2 if isinstance(self._sink, Silence) else 1)

    def _disconnect(self) -> None:
        if self._gate is None:
            return
        running_clock().leave(self._look_after)
        running_clock().leave(self._feed)
        if play_from := getattr(self._sink, "play_from", None):
            play_from(None)

    def _feed(self) -> None:
        """Pull what is due and write it."""
        assert self._gate is not None
        block = np.empty(FRAME_SAMPLES if isinstance(self._sink, Silence) else _BEAT_SAMPLES, np.float32)
        self._gate.pull(block)
        self._write(block)
        self._collect()

    def _look_after(self) -> None:
        """The loudspeaker pulls by itself; one that is gone says so when something is written."""
        self._collect()
        self._write(_NOTHING)

    def _collect(self) -> None:
        """Tell what was played, by whoever pulled it."""
        gate, told = self._gate, self._on_played
        while gate and told and gate.played.available >= FRAME_SAMPLES:
            block = np.empty(FRAME_SAMPLES, np.float32)
            gate.played.pop(block)
            told(block)

    def _write(self, voice: NDArray[np.float32]) -> None:
        try:
            self._sink.write(self._to_sink(voice, ENGINE_RATE_HZ))
        except MediaError as error:
            self._use(self.stand_in())
            self._listener.on_error(error)
