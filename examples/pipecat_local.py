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
    """Says what it has heard as soon as there is a pause."""

    said = b""

    async def process_frame(self, frame, direction) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, InputAudioRawFrame):
            await self.push_frame(frame, direction)
        elif spike.stats.voice_active:
            self.said += frame.audio
        elif self.said:
            print(f"you said {len(self.said) / 2 / frame.sample_rate:.1f} s", flush=True)
            said, self.said = self.said, b""
            await self.push_frame(OutputAudioRawFrame(said, frame.sample_rate, 1))


async def main() -> None:
    runner, pipeline = WorkerRunner(), Pipeline([transport.input(), Parrot(), transport.output()])
    await runner.add_workers(PipelineWorker(pipeline, idle_timeout_secs=None))
    await runner.run()


print("say something; Ctrl-C ends it", flush=True)
asyncio.run(main())
