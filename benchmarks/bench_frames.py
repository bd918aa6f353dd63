"""Pictures and samples, beside PyAV with fresh frames, as a video call has them, and beside OpenCV."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest
from signals import picture, speech_like

from spike_engine import frames

SIZES = [(160, 120), (640, 360), (1280, 720)]


def fresh(frame: av.VideoFrame) -> av.VideoFrame:
    """A frame that PyAV has no conversion context for, as the next one of a stream is."""
    return av.VideoFrame.from_ndarray(frame.to_ndarray(), frame.format.name)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("peer", ["spike", "pyav", "opencv"])
@pytest.mark.parametrize("source", ["yuv420p", "nv12"])
def bench_to_rgb(benchmark: Any, source: str, peer: str, size: tuple[int, int]) -> None:
    benchmark.group = f"{source} to rgb24, {size[0]}x{size[1]}"
    frame = frames.from_ndarray(picture(*size), to=source)
    if peer == "spike":
        out = np.empty((size[1], size[0], 3), np.uint8)
        benchmark(lambda: frames.to_ndarray(frame, "rgb24", out=out))
    elif peer == "pyav":
        arguments = lambda: ((fresh(frame),), {"format": "rgb24"})  # noqa: E731
        benchmark.pedantic(av.VideoFrame.to_ndarray, setup=arguments, rounds=60)
    else:
        cv2 = pytest.importorskip("cv2", reason="the peer opencv-python-headless is not installed")
        code = cv2.COLOR_YUV2RGB_I420 if source == "yuv420p" else cv2.COLOR_YUV2RGB_NV12
        benchmark(cv2.cvtColor, frame.to_ndarray(), code)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("peer", ["spike", "pyav", "opencv"])
def bench_from_rgb(benchmark: Any, peer: str, size: tuple[int, int]) -> None:
    benchmark.group = f"rgb24 to yuv420p, {size[0]}x{size[1]}"
    rgb = picture(*size)
    if peer == "spike":
        benchmark(frames.from_ndarray, rgb, "rgb24", to="yuv420p")
    elif peer == "pyav":
        benchmark(lambda: av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p"))
    else:
        cv2 = pytest.importorskip("cv2", reason="the peer opencv-python-headless is not installed")
        benchmark(cv2.cvtColor, rgb, cv2.COLOR_RGB2YUV_I420)


@pytest.mark.parametrize("peer", ["spike", "pyav", "memcpy"])
def bench_20_ms_of_stereo(benchmark: Any, peer: str) -> None:
    benchmark.group = "20 ms of stereo s16 to float32"
    samples = (32767 * speech_like(48000, 0.02, channels=2)).astype(np.int16)
    frame = frames.audio_from_ndarray(samples)
    if peer == "spike":
        out = np.empty((960, 2), np.float32)
        benchmark(lambda: frames.audio_to_ndarray(frame, out=out))
    elif peer == "pyav":
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=48000)
        frame.sample_rate = 48000
        benchmark(lambda: [out.to_ndarray() for out in resampler.resample(frame)])
    else:
        source, target = np.zeros((960, 2), np.float32), np.empty((960, 2), np.float32)
        benchmark(np.copyto, target, source)
