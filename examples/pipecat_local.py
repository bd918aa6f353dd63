"""A parrot in pipecat that does not hear itself: python pipecat_local.py, after pip install "pipecat-ai[local]".

It says back what you say, through this machine's loudspeaker. Without the filter it would answer itself for ever.
"""

import asyncio

import numpy as np
from pipecat.frames.frames import InputAudioRawFrame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.local.audio import LocalAudioTransport, LocalAudioTransportParams
from pipecat.workers.runner import WorkerRunner

from spike_engine.integrations.pipecat import SpikeAudioFilter

RATE_HZ = 16000
PAUSE_S = 0.6


class Parrot(FrameProcessor):
    """Keeps what is said until there is a pause, and says it."""

    def __init__(self, spike: SpikeAudioFilter) -> None:
        super().__init__()
        self.spike = spike
        self.said = b""
        self.silent_s = PAUSE_S

    async def process_frame(self, frame, direction) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, InputAudioRawFrame):
            await self.push_frame(frame, direction)
            return
        self.silent_s = 0.0 if self.spike.stats.voice_active else self.silent_s + frame.num_frames / RATE_HZ
        if self.silent_s < PAUSE_S:
            self.said += frame.audio
        elif self.said:
            said, self.said = self.said, b""
            seconds = len(said) / 2 / RATE_HZ
            level_db = 20 * np.log10(np.std(np.frombuffer(said, np.int16)) / 32768 + 1e-5)
            print(f"you said {seconds:.1f} s at {level_db:.0f} dB", flush=True)
            await self.push_frame(OutputAudioRawFrame(said, RATE_HZ, 1))


async def main() -> None:
    spike = SpikeAudioFilter()
    transport = LocalAudioTransport(
        LocalAudioTransportParams(audio_in_enabled=True, audio_out_enabled=True, audio_in_filter=spike)
    )
    spike.listen_to(transport.output())

    pipeline = Pipeline([transport.input(), Parrot(spike), transport.output()])
    rates = PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ)
    print("say something; Ctrl-C ends it", flush=True)
    runner = WorkerRunner()
    await runner.add_workers(PipelineWorker(pipeline, params=rates, idle_timeout_secs=None))
    await runner.run()


asyncio.run(main())
