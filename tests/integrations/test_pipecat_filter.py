"""The pipecat filter, called as pipecat calls it, and in a pipeline of its own classes."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rooms import FAR, echo_of, impulse_response, level_db, speech

from spike_engine import dsp
from spike_engine.errors import InvalidState

pytest.importorskip("pipecat", reason="pipecat is not installed: pip install --group peers")

from pipecat.frames.frames import (
    EndFrame,
    FilterEnableFrame,
    InputAudioRawFrame,
    OutputAudioRawFrame,
    StartFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from spike_engine.integrations.pipecat import SpikeAudioFilter

MIC_HZ, OUT_HZ = 16000, 24000
MIC_BLOCK, OUT_BLOCK = MIC_HZ // 50, OUT_HZ // 25


def int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.round(32767 * samples).astype(np.int16)


def conversation(seconds: float, latency_ms: float) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """What the bot says, at the output's rate, and its echo in the microphone."""
    far = speech(FAR, 48000, seconds)
    response = impulse_response(48000, 0.2, latency_ms, -6.0, seed=2)
    mic = dsp.resample(echo_of(far, response), 48000, MIC_HZ)
    return int16(dsp.resample(far, 48000, OUT_HZ)), int16(mic)


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def test_the_bot_is_taken_out_though_its_chunks_come_unevenly() -> None:
    """The output writes 40 ms when there is room for it: some early, and the microphone is fetched late at times."""
    clock, random = Clock(), np.random.default_rng(0)
    spike = SpikeAudioFilter(noise_suppression=False, clock=clock)
    await spike.start(MIC_HZ)
    far, mic = conversation(8.0, latency_ms=80.0)
    written = at = 0
    parts = []
    for block in range(len(mic) // MIC_BLOCK):
        while written <= block * OUT_HZ // 50:  # due by now, up to a chunk ahead
            spike.played(far[written : written + OUT_BLOCK], OUT_HZ)
            written += OUT_BLOCK
        clock.now_s = 100.0 + block / 50
        if random.random() < 0.2 and block % 50:  # held up: what was captured stays where it is
            continue
        clock.now_s += 0.002 * random.random()
        end = (block + 1) * MIC_BLOCK
        parts.append(np.frombuffer(await spike.filter(mic[at:end].tobytes()), np.int16))
        at = end
    out = np.concatenate(parts).astype(np.float32) / 32768

    assert level_db(out[-3 * MIC_HZ :]) < level_db(mic[-3 * MIC_HZ :].astype(np.float32) / 32768) - 15.0
    assert spike.stats.erle_db > 10.0


async def test_a_pause_of_the_bot_keeps_its_length() -> None:
    clock = Clock()
    spike = SpikeAudioFilter(noise_suppression=False, clock=clock)
    await spike.start(MIC_HZ)
    chunk = np.full(MIC_BLOCK, 1000, np.int16)
    taken = []
    for block in range(20):
        if block in (2, 10):
            spike.played(chunk, MIC_HZ)
        clock.now_s = 100.0 + block / 50
        assert spike._far_end
        taken.append(spike._far_end.take(MIC_BLOCK, clock.now_s))
    loud = np.flatnonzero(np.concatenate(taken))

    assert len(loud) == 2 * MIC_BLOCK
    assert loud[MIC_BLOCK] - loud[0] == 8 * MIC_BLOCK


async def test_disabled_it_lets_the_microphone_through() -> None:
    spike = SpikeAudioFilter()
    await spike.start(MIC_HZ)
    audio = int16(0.1 * np.random.default_rng(0).standard_normal(MIC_BLOCK)).tobytes()
    await spike.process_frame(FilterEnableFrame(enable=False))
    assert await spike.filter(audio) == audio
    await spike.process_frame(FilterEnableFrame(enable=True))
    assert await spike.filter(audio) != audio
    await spike.stop()
    with pytest.raises(InvalidState, match="not started"):
        _ = spike.stats


class Output(BaseOutputTransport):
    """pipecat's output with a loudspeaker that keeps what it plays, in real time."""

    def __init__(self, params: TransportParams) -> None:
        super().__init__(params)
        self.wrote: list[bytes] = []

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        self.wrote.append(frame.audio)
        await asyncio.sleep(len(frame.audio) / 2 / frame.sample_rate)  # this is the pace that a device sets
        return True


class Input(BaseInputTransport):
    def __init__(self, params: TransportParams) -> None:
        super().__init__(params)
        self.started = asyncio.Event()

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        self.started.set()


class Listener(FrameProcessor):
    """Keeps what comes out of the input transport."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[bytes] = []

    async def process_frame(self, frame: Any, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            self.heard.append(frame.audio)
        await self.push_frame(frame, direction)


async def test_in_a_pipeline_of_pipecat() -> None:
    spike = SpikeAudioFilter()
    params = TransportParams(audio_in_enabled=True, audio_out_enabled=True, audio_in_filter=spike)
    source, listener, output = Input(params), Listener(), Output(params)
    spike.listen_to(output)
    far, mic = conversation(1.0, latency_ms=40.0)
    worker = PipelineWorker(
        Pipeline([source, listener, output]),
        params=PipelineParams(audio_in_sample_rate=MIC_HZ, audio_out_sample_rate=OUT_HZ),
    )

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)

    async def talk() -> None:
        await source.started.wait()
        await worker.queue_frame(OutputAudioRawFrame(far.tobytes(), OUT_HZ, 1))
        for at in range(0, len(mic), MIC_BLOCK):
            await source.push_audio_frame(InputAudioRawFrame(mic[at : at + MIC_BLOCK].tobytes(), MIC_HZ, 1))
            await asyncio.sleep(0.005)  # four times real time
        await worker.queue_frame(EndFrame())

    await asyncio.wait_for(asyncio.gather(runner.run(), talk()), 30)

    assert sum(map(len, listener.heard)) == 2 * len(mic)
    assert sum(map(len, output.wrote)) >= 2 * len(far)


class Speaker:
    def __init__(self) -> None:
        self.written = b""

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        self.written += frame.audio
        return True


@pytest.mark.parametrize("channels", [1, 2])
async def test_chunks_that_end_within_a_sample_are_the_same_sound(channels: int) -> None:
    far, mic = conversation(2.0, latency_ms=80.0)
    played = np.repeat(far, channels).tobytes()
    heard = []
    for mic_bytes, far_bytes in ((320 * 2, 480 * 2 * channels), (321, 481)):
        spike, output = SpikeAudioFilter(clock=Clock()), Speaker()
        await spike.start(MIC_HZ)
        spike.listen_to(output)
        for at in range(0, len(played), far_bytes):
            await output.write_audio_frame(OutputAudioRawFrame(played[at : at + far_bytes], OUT_HZ, channels))
        data = mic.tobytes()
        heard.append(b"".join([await spike.filter(data[at : at + mic_bytes]) for at in range(0, len(data), mic_bytes)]))

        assert output.written == played
    assert heard[0] == heard[1]


async def test_half_a_sample_waits_for_its_other_half_while_the_filter_is_off() -> None:
    spike = SpikeAudioFilter()
    await spike.start(MIC_HZ)
    await spike.process_frame(FilterEnableFrame(enable=False))

    assert await spike.filter(b"\x01\x02\x03") == b"\x01\x02"
    assert await spike.filter(b"\x04") == b"\x03\x04"


@pytest.mark.parametrize("rate_hz", [8000, 11025, 12000, 22050])
async def test_a_microphone_of_any_rate_is_rid_of_the_echo_and_the_noise(rate_hz: int) -> None:
    far, mic = conversation(6.0, latency_ms=80.0)
    mic = int16(dsp.resample(mic.astype(np.float32) / 32768, MIC_HZ, rate_hz))
    spike = SpikeAudioFilter(clock=Clock())
    await spike.start(rate_hz)
    parts = []
    for at in range(0, len(mic), block := rate_hz // 50):
        spike.played(far[at * OUT_HZ // rate_hz : (at + block) * OUT_HZ // rate_hz], OUT_HZ)
        parts.append(await spike.filter(mic[at : at + block].tobytes()))
    out = np.frombuffer(b"".join(parts), np.int16).astype(np.float32) / 32768

    assert abs(len(out) - len(mic)) < rate_hz // 20
    assert level_db(out[-2 * rate_hz :]) < level_db(mic[-2 * rate_hz :].astype(np.float32) / 32768) - 15.0


@pytest.mark.parametrize("rate_hz", [0, 4000, 96000])
async def test_a_rate_that_no_stage_takes_is_refused(rate_hz: int) -> None:
    with pytest.raises(ValueError, match="8000 to 48000"):
        await SpikeAudioFilter().start(rate_hz)
