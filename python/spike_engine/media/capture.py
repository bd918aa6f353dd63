"""Where samples meet WebRTC on their way out: the microphone as a track."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp, frames
from spike_engine.devices import AudioSource
from spike_engine.devices.stand_ins import Silence
from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter
from spike_engine.errors import MediaError
from spike_engine.media.playback import Playback
from spike_engine.media.taps import AudioTap
from spike_engine.webrtc.fed_track import FedTrack

FRAME_SAMPLES = ENGINE_RATE_HZ // 50


_FRAMES_PER_SECOND = 50


# What a sender that falls behind may still catch up with; older frames would only be delay.
_QUEUED_FRAMES = 3


class Capture:
    """Reads a microphone for as long as it is open, runs the capture pipeline, and hands the frames to its tracks.

    It outlives connections, so that the echo canceller keeps what it has learned when one is replaced.

    Attributes:
        enabled: False sends silence.
        on_voice: Takes, every 20 ms, whether the user speaks.
    """

    def __init__(
        self,
        source: AudioSource,
        playback: Playback,
        *,
        echo_cancellation: bool = True,
        noise_suppression: bool = True,
        on_error: Callable[[MediaError], None],
        tap: AudioTap,
    ) -> None:
        self.enabled = True
        self.pipeline = dsp.CapturePipeline(
            ENGINE_RATE_HZ, echo_cancellation=echo_cancellation, noise_suppression=noise_suppression
        )
        self._source = source
        self._to_engine = RateConverter()
        self._playback = playback
        self._on_error = on_error
        self._tap = tap
        self.on_voice: Callable[[bool], None] | None = None
        self._tracks: list[MicrophoneTrack] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read the source, which has been started."""
        self._task = asyncio.create_task(self._run())

    def create_track(self) -> MicrophoneTrack:
        """A new track that carries the processed microphone from now on."""
        self._tracks = [track for track in self._tracks if track.readyState == "live"]
        track = MicrophoneTrack()
        self._tracks.append(track)
        return track

    async def replace_source(self, source: AudioSource) -> None:
        """Read `source`, which has been started, from the next frame on and close the one before."""
        before, self._source = self._source, source
        await before.close()
        if self._task and self._task.done():
            self.start()

    async def close(self) -> None:
        """Stop reading and close the source."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._source.close()
        for track in self._tracks:
            track.stop()

    async def _run(self) -> None:
        while True:
            source = self._source
            try:
                captured = await source.read(source.sample_rate_hz // _FRAMES_PER_SECOND)
            except MediaError as error:
                if source is not self._source:  # it was replaced, and closed while it was read
                    continue
                self._on_error(error)
                await self.replace_source(Silence())
                continue
            self._process(self._to_engine(captured, source.sample_rate_hz))

    def _process(self, microphone: NDArray[np.float32]) -> None:
        processed = self.pipeline.process(microphone, self._playback.played(FRAME_SAMPLES))
        self._tap("microphone", microphone)
        self._tap("processed", processed)
        if self.on_voice:
            self.on_voice(self.enabled and self.pipeline.stats.voice_active)
        if not self.enabled:  # the pipeline has run all the same: muted, it goes on learning the room
            processed = np.zeros_like(processed)
        for track in self._tracks:
            track.push(processed)


class MicrophoneTrack(FedTrack):
    """The processed microphone as an aiortc track: mono, 48 kHz, 20 ms frames. Samples are pushed."""

    def __init__(self) -> None:
        super().__init__("audio", _QUEUED_FRAMES)
        self._timestamp = 0

    def prepare(self, item: Any) -> Any:
        """The samples as a numbered frame."""
        frame = frames.audio_from_ndarray(item, format="s16", sample_rate_hz=ENGINE_RATE_HZ)
        frame.pts, frame.time_base = self._timestamp, Fraction(1, ENGINE_RATE_HZ)
        self._timestamp += len(item)
        return frame
