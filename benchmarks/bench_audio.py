"""10 ms of echo cancelling, noise suppression and the whole capture chain at 48 and 16 kHz, beside WebRTC's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from signals import echo_pair

from spike_engine import dsp

SECONDS = 2.0


def webrtc(rate_hz: int, **stages: bool) -> Callable[[Any, Any], Any]:
    """WebRTC's audio processing module as livekit ships it; it works on int16 in place."""
    rtc = pytest.importorskip("livekit.rtc", reason="the peer livekit is not installed")
    module = rtc.AudioProcessingModule(**stages)
    count = rate_hz // 100

    def process(mic: Any, far: Any) -> None:
        module.process_reverse_stream(rtc.AudioFrame(far.tobytes(), rate_hz, 1, count))
        module.process_stream(rtc.AudioFrame(mic.tobytes(), rate_hz, 1, count))

    return process


def streaming(process: Callable[[Any, Any], Any], rate_hz: int, dtype: Any) -> Callable[[], Any]:
    """`process` on one frame after another of a real-looking stream, round and round."""
    mic, far = echo_pair(rate_hz, SECONDS)
    scale = 32767 if dtype == np.int16 else 1
    mic_frames, far_frames = ((scale * x).astype(dtype).reshape(-1, rate_hz // 100) for x in (mic, far))
    at = 0

    def step() -> Any:
        nonlocal at
        at = (at + 1) % len(mic_frames)
        return process(mic_frames[at], far_frames[at])

    for _ in range(100):  # converge first
        step()
    return step


@pytest.mark.parametrize("rate_hz", [48000, 16000])
@pytest.mark.parametrize("peer", ["neural", "spectral", "webrtc"])
def bench_echo(benchmark: Any, peer: dsp.EchoResidual | Literal["webrtc"], rate_hz: int) -> None:
    benchmark.group = f"echo 10 ms at {rate_hz}"
    if peer != "webrtc":
        benchmark(streaming(dsp.EchoCanceller(rate_hz, residual=peer).process, rate_hz, np.float32))
    else:
        benchmark(streaming(webrtc(rate_hz, echo_cancellation=True), rate_hz, np.int16))


@pytest.mark.parametrize("rate_hz", [48000, 16000])
@pytest.mark.parametrize("peer", ["spike", "webrtc", "rnnoise"])
def bench_noise(benchmark: Any, peer: str, rate_hz: int) -> None:
    benchmark.group = f"noise 10 ms at {rate_hz}"
    if peer == "spike":
        suppressor = dsp.NoiseSuppressor(rate_hz)
        benchmark(streaming(lambda mic, _: suppressor.process(mic), rate_hz, np.float32))
    elif peer == "webrtc":
        benchmark(streaming(webrtc(rate_hz, noise_suppression=True), rate_hz, np.int16))
    else:
        pyrnnoise = pytest.importorskip("pyrnnoise", reason="the peer pyrnnoise is not installed")
        if rate_hz != 48000:
            pytest.skip("RNNoise works at 48 kHz only")
        denoiser = pyrnnoise.rnnoise.create()
        benchmark(streaming(lambda mic, _: pyrnnoise.rnnoise.process_mono_frame(denoiser, mic), rate_hz, np.int16))


@pytest.mark.parametrize("rate_hz", [48000, 16000])
@pytest.mark.parametrize("peer", ["spike", "webrtc"])
def bench_pipeline(benchmark: Any, peer: str, rate_hz: int) -> None:
    benchmark.group = f"whole capture chain 10 ms at {rate_hz}"
    if peer == "spike":
        benchmark(streaming(dsp.CapturePipeline(rate_hz).process, rate_hz, np.float32))
    else:
        stages = {"echo_cancellation": True, "noise_suppression": True, "high_pass_filter": True}
        benchmark(streaming(webrtc(rate_hz, **stages), rate_hz, np.int16))
