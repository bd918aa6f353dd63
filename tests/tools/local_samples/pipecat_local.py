"""A bot of pipecat on this machine's sound card, by its local transport; or with the filter in it.

python pipecat_local.py plain | filtered HEARD SPOKEN: says what is in SPOKEN, int16 at 24 kHz, and appends what it
hears to HEARD.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from pipecat.frames.frames import InputAudioRawFrame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.local.audio import LocalAudioTransport, LocalAudioTransportParams
from pipecat.workers.runner import WorkerRunner

RATE_HZ = 24000
FILTERED = sys.argv[1] == "filtered"
heard, spoken = Path(sys.argv[2]).open("ab"), Path(sys.argv[3]).read_bytes()  # noqa: SIM115 (until it is killed)


class Bot(FrameProcessor):
    """Keeps what the user seems to say, and says its own at the first sound."""

    has_spoken = False

    async def process_frame(self, frame: Any, direction: Any) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, InputAudioRawFrame):
            await self.push_frame(frame, direction)
            return
        heard.write(frame.audio)
        heard.flush()
        if not self.has_spoken:
            self.has_spoken = True
            await self.push_frame(OutputAudioRawFrame(spoken, RATE_HZ, 1))


async def main() -> None:
    options: dict[str, Any] = {"audio_in_enabled": True, "audio_out_enabled": True}
    spike: Any = None
    if FILTERED:
        from spike_engine.integrations.pipecat import SpikeAudioFilter

        spike = options["audio_in_filter"] = SpikeAudioFilter(noise_suppression=False)
    transport = LocalAudioTransport(LocalAudioTransportParams(**options))
    if spike:
        spike.listen_to(transport.output())
    pipeline = Pipeline([transport.input(), Bot(), transport.output()])
    rates = PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ)
    runner = WorkerRunner()
    await runner.add_workers(PipelineWorker(pipeline, params=rates, idle_timeout_secs=None))
    await runner.run()


asyncio.run(main())
