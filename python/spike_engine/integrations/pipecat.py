"""An audio filter for pipecat: no echo, no noise, in any of its transports (``pip install "spike-engine[pipecat]"``).

::

    spike = SpikeAudioFilter()
    transport = LocalAudioTransport(
        LocalAudioTransportParams(audio_in_enabled=True, audio_out_enabled=True, audio_in_filter=spike)
    )
    spike.listen_to(transport.output())
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from pipecat.audio.filters.base_audio_filter import BaseAudioFilter
from pipecat.frames.frames import FilterControlFrame, FilterEnableFrame, OutputAudioRawFrame

from spike_engine import dsp
from spike_engine.dsp.noise import NoiseMode
from spike_engine.errors import InvalidState
from spike_engine.integrations.far_end import FarEnd, Samples, Whole

__all__ = ["SpikeAudioFilter"]


class SpikeAudioFilter(BaseAudioFilter):
    """The capture chain as the ``audio_in_filter`` of a transport with a mono microphone.

    The echo canceller needs to know what the loudspeaker plays: :meth:`listen_to`. A ``FilterEnableFrame`` lets the
    microphone through as it is; the canceller goes on learning meanwhile.

    Args:
        echo_cancellation: Take out what :meth:`listen_to` hears.
        noise_suppression: Turn down what is not speech; ``"recogniser"`` no more than a speech recogniser can bear.
        gain_control: Bring the voice to -23 dBFS. Leave it off behind a browser, which has done so already.
        clock: Monotonic seconds, for tests.
    """

    def __init__(
        self,
        *,
        echo_cancellation: bool = True,
        noise_suppression: bool | NoiseMode = True,
        gain_control: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stages: dict[str, Any] = {
            "echo_cancellation": echo_cancellation,
            "noise_suppression": noise_suppression,
            "gain_control": gain_control,
        }
        self._clock = clock
        self._pipeline: dsp.CapturePipeline | None = None
        self._far_end: FarEnd | None = None
        self._enabled = True
        self._captured, self._written = Whole(), Whole()

    def listen_to(self, output: Any) -> None:
        """Take what the output transport `output` writes from now on as what the loudspeaker plays.

        Its ``write_audio_frame`` is wrapped; call this once, before the pipeline runs.
        """
        write = output.write_audio_frame

        async def write_audio_frame(frame: OutputAudioRawFrame) -> bool:
            audio = self._written(frame.audio, 2 * frame.num_channels)
            self.played(np.frombuffer(audio, np.int16), frame.sample_rate, frame.num_channels)
            return bool(await write(frame))

        output.write_audio_frame = write_audio_frame

    def played(self, samples: Samples, sample_rate_hz: int, channels: int = 1) -> None:
        """Say that `samples`, interleaved, are played now, for a loudspeaker that is no pipecat transport."""
        if self._far_end and self._stages["echo_cancellation"] and len(samples):
            self._far_end.append(samples, sample_rate_hz, channels, self._clock())

    @property
    def stats(self) -> dsp.CaptureStats:
        """By-products of the last frame, ``voice_active`` and ``erle_db`` among them. InvalidState before the start."""
        return self._running().stats

    async def start(self, sample_rate: int) -> None:
        """Pipecat calls this. ValueError unless `sample_rate` is from 8000 to 48000."""
        self._pipeline = dsp.CapturePipeline(sample_rate, **self._stages)
        self._far_end = FarEnd(sample_rate)

    async def stop(self) -> None:
        """Pipecat calls this."""
        self._pipeline = self._far_end = None

    async def process_frame(self, frame: FilterControlFrame) -> None:
        """Pipecat calls this."""
        if isinstance(frame, FilterEnableFrame):
            self._enabled = frame.enable

    async def filter(self, audio: bytes) -> bytes:
        """Pipecat calls this: int16 samples in, as many out, up to what is kept of an unfinished frame of 10 ms.

        Half a sample at the end waits for its other half.
        """
        pipeline = self._running()
        assert self._far_end
        audio = self._captured(audio, 2)
        microphone = np.frombuffer(audio, np.int16)
        cleaned = pipeline.process(microphone, self._far_end.take(len(microphone), self._clock()))
        return cleaned.tobytes() if self._enabled else audio

    def _running(self) -> dsp.CapturePipeline:
        if self._pipeline is None:
            raise InvalidState("the filter is not started: its transport does that when the pipeline runs")
        return self._pipeline
