"""Where samples meet WebRTC on their way out: the microphone as a track."""

from __future__ import annotations

import asyncio
import math

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp
from spike_engine.devices import AudioSource
from spike_engine.devices.base import latency_s_of
from spike_engine.devices.stand_ins import Silence
from spike_engine.dsp.noise import NoiseMode
from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter
from spike_engine.duplex.front_end import FrontEnd
from spike_engine.media.catch_up import CatchUp
from spike_engine.media.listener import MediaListener
from spike_engine.media.playback import Playback
from spike_engine.media.reading import Reading
from spike_engine.webrtc.fed_track import FedVoice

_FRAMES_PER_SECOND = 50
FRAME_SAMPLES = ENGINE_RATE_HZ // _FRAMES_PER_SECOND

# What a sender that falls behind may still catch up with; older frames would only be delay.
_QUEUED_FRAMES = 3

# Of speech; what is said softly has more.
_QUIET_PROBABILITY = 0.1


class Capture(Reading[AudioSource, "MicrophoneTrack"]):
    """Reads a microphone for as long as it is open, runs the capture pipeline, and hands the frames to its tracks.

    It outlives connections, so that the echo canceller keeps what it has learned when one is replaced.

    Args:
        playback: The loudspeaker, whose echo is taken out.
        listener: Hears every block, and says whether the microphone is muted; muted, silence is sent.
        catch_up: Send afterwards what is said while the network is cut.

    Attributes:
        catch_up: What does so; None where nothing does.
    """

    def __init__(
        self,
        playback: Playback,
        listener: MediaListener,
        *,
        echo_cancellation: bool = True,
        noise_suppression: bool | NoiseMode = True,
        gain_control: bool = False,
        catch_up: bool = False,
    ) -> None:
        super().__init__(listener)
        self.catch_up = CatchUp() if catch_up else None
        self.front_end = FrontEnd(
            playback,
            echo_cancellation=echo_cancellation,
            noise_suppression=noise_suppression,
            gain_control=gain_control,
        )
        self._captured_to_engine = RateConverter()

    async def _take(self, source: AudioSource) -> None:
        captured = await source.read(source.sample_rate_hz // _FRAMES_PER_SECOND)
        processed = self.front_end.process(captured, source.sample_rate_hz)
        pipeline = self.front_end.pipeline
        microphone = self._captured_to_engine(self.front_end.captured, pipeline.sample_rate_hz)
        self._listener.on_audio("microphone", microphone)
        self._listener.on_audio("processed", processed)
        self._send(processed, pipeline.stats)

    @property
    def latency_ms(self) -> float:
        """From a sound to the packet with it: the microphone's delay, that of what cleans, and the packet's length.

        After a cut also what waits to be sent.
        """
        behind_ms = self.catch_up.behind_ms if self.catch_up else 0.0
        return 1000.0 * (latency_s_of(self.device) + self.front_end.latency_s + 1 / _FRAMES_PER_SECOND) + behind_ms

    def stand_in(self) -> AudioSource:
        """Silence."""
        return Silence()

    def _new_track(self) -> MicrophoneTrack:
        return MicrophoneTrack()

    def _send(self, processed: NDArray[np.float32], stats: dsp.CaptureStats) -> None:
        enabled = self._listener.is_enabled("audio")
        self._listener.on_voice(
            processed, active=enabled and stats.voice_active, suspected=enabled and stats.voice_suspected
        )
        if not enabled:  # the pipeline has run all the same: muted, it goes on learning the room
            processed = np.zeros_like(processed)
        self._listener.on_user_level(math.sqrt(np.dot(processed, processed) / FRAME_SAMPLES))
        if self.catch_up:
            quiet = not enabled or (not stats.voice_active and stats.speech_probability < _QUIET_PROBABILITY)
            path = self._tracks[-1].path if self._tracks else None
            processed = self.catch_up.next(processed, quiet=quiet, path=path, now_s=asyncio.get_running_loop().time())
        self._push(processed)


class MicrophoneTrack(FedVoice):
    """The processed microphone as an aiortc track: mono, 48 kHz, 20 ms frames. Samples are pushed."""

    def __init__(self) -> None:
        super().__init__(_QUEUED_FRAMES)
