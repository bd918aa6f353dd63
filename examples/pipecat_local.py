"""A parrot in pipecat that does not hear itself: python pipecat_local.py, after pip install "pipecat-ai[local]"."""

import asyncio

from pipecat.frames.frames import InputAudioRawFrame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.local.audio import LocalAudioTransport, LocalAudioTransportParams
from pipecat.workers.runner import WorkerRunner

from spike_engine.integrations.pipecat import SpikeAudioFilter

spike = SpikeAudioFilter()
devices = LocalAudioTransportParams(audio_in_enabled=True, audio_out_enabled=True, audio_in_filter=spike)
transport = LocalAudioTransport(devices)
spike.listen_to(transport.output())


class Parrot(FrameProcessor):
    said = b""  # what it has heard, until there is a pause

    async def process_frame(self, frame, direction) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame) and spike.stats.voice_active:
            self.said += frame.audio
        elif isinstance(frame, InputAudioRawFrame) and self.said:
            await self.push_frame(OutputAudioRawFrame(self.said, frame.sample_rate, 1))
            self.said = b""


async def main() -> None:
    runner, pipeline = WorkerRunner(), Pipeline([transport.input(), Parrot(), transport.output()])
    await runner.add_workers(PipelineWorker(pipeline, idle_timeout_secs=None))
    await runner.run()


print("say something; Ctrl-C ends it", flush=True)
asyncio.run(main())
