"""Pictures and samples beside libyuv, OpenCV, PyAV with fresh frames, as a video call has them, and a plain copy."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest
from frames_table import CONVERSIONS, SIZES, peers_of, picture, pyav_call
from signals import speech_like

from spike_engine import frames

brief = pytest.mark.benchmark(max_time=0.2, min_rounds=20)


@brief
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("peer", ["spike", "libyuv", "OpenCV", "memcpy"])
@pytest.mark.parametrize("formats", CONVERSIONS, ids=" to ".join)
def bench_pictures(benchmark: Any, formats: tuple[str, str], peer: str, size: tuple[int, int]) -> None:
    benchmark.group = f"{formats[0]} to {formats[1]}, {size[0]}x{size[1]}"
    call = peers_of(*formats, *size)[peer]
    if call is None:
        pytest.skip(f"{peer} does not convert these, or is not installed (libyuv: Debian's libyuv0)")
    benchmark(call)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("formats", CONVERSIONS, ids=" to ".join)
def bench_pictures_pyav(benchmark: Any, formats: tuple[str, str], size: tuple[int, int]) -> None:
    benchmark.group = f"{formats[0]} to {formats[1]}, {size[0]}x{size[1]}"
    frame = frames.from_ndarray(picture(formats[0], *size), formats[0], to=formats[0])
    fresh = lambda: ((frames.reformat(frame, formats[0]),), {})  # noqa: E731 (a frame that it has no context for)
    benchmark.pedantic(pyav_call(formats[1]), setup=fresh, rounds=30)


@brief
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
