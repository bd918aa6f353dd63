"""Where samples meet WebRTC on their way out: the microphone as a track."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp
from spike_engine.devices import AudioSource
from spike_engine.devices.stand_ins import Silence
from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter, working_rate_hz
from spike_engine.media.listener import MediaListener
from spike_engine.media.playback import Playback
from spike_engine.media.reading import Reading
from spike_engine.webrtc.fed_track import FedVoice

FRAME_SAMPLES = ENGINE_RATE_HZ // 50


_FRAMES_PER_SECOND = 50


# What a sender that falls behind may still catch up with; older frames would only be delay.
_QUEUED_FRAMES = 3


class Capture(Reading[AudioSource, "MicrophoneTrack"]):
    """Reads a microphone for as long as it is open, runs the capture pipeline, and hands the frames to its tracks.

    It outlives connections, so that the echo canceller keeps what it has learned when one is replaced.

    Args:
        playback: The loudspeaker, whose echo is taken out.
        listener: Hears every block, and says whether the microphone is muted; muted, silence is sent.
    """

    def __init__(
        self,
        playback: Playback,
        listener: MediaListener,
        *,
        echo_cancellation: bool = True,
        noise_suppression: bool = True,
        gain_control: bool = False,
    ) -> None:
        super().__init__(listener)
        self._pipeline_at = partial(
            dsp.CapturePipeline,
            echo_cancellation=echo_cancellation,
            noise_suppression=noise_suppression,
            gain_control=gain_control,
        )
        self._playback = playback
        self._clean_at(ENGINE_RATE_HZ)
        self._captured_to_engine, self._processed_to_engine = RateConverter(), RateConverter()

    async def _take(self, source: AudioSource) -> None:
        captured = await source.read(source.sample_rate_hz // _FRAMES_PER_SECOND)
        working_hz = _working_rate_hz(source.sample_rate_hz)
        if working_hz != self.pipeline.sample_rate_hz:
            self._clean_at(working_hz)
        self._process(self._to_working(captured, source.sample_rate_hz))

    def stand_in(self) -> AudioSource:
        """Silence."""
        return Silence()

    def _new_track(self) -> MicrophoneTrack:
        return MicrophoneTrack()

    def _clean_at(self, rate_hz: int) -> None:
        """Clean at `rate_hz` from now on: a microphone of a low rate has nothing above it, and takes less time."""
        self.pipeline = self._pipeline_at(rate_hz)
        self._to_working = RateConverter(rate_hz)

    def _process(self, microphone: NDArray[np.float32]) -> None:
        rate_hz = self.pipeline.sample_rate_hz
        far = self._playback.played(rate_hz // _FRAMES_PER_SECOND, rate_hz)
        processed = self._processed_to_engine(self.pipeline.process(microphone, far), rate_hz)
        self._listener.on_audio("microphone", self._captured_to_engine(microphone, rate_hz))
        self._listener.on_audio("processed", processed)
        enabled = self._listener.is_enabled("audio")
        stats = self.pipeline.stats
        self._listener.on_voice(processed, active=enabled and stats.voice_active, probability=stats.speech_probability)
        if not enabled:  # the pipeline has run all the same: muted, it goes on learning the room
            processed = np.zeros_like(processed)
        self._listener.on_user_level(math.sqrt(np.dot(processed, processed) / FRAME_SAMPLES))
        self._push(processed)


def _working_rate_hz(microphone_hz: int) -> int:
    rate_hz = working_rate_hz(microphone_hz)
    return rate_hz if ENGINE_RATE_HZ % rate_hz == 0 else ENGINE_RATE_HZ


class MicrophoneTrack(FedVoice):
    """The processed microphone as an aiortc track: mono, 48 kHz, 20 ms frames. Samples are pushed."""

    def __init__(self) -> None:
        super().__init__(_QUEUED_FRAMES)
