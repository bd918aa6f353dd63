"""Streaming 10 and 20 ms, and a minute in one call, beside the peers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from signals import speech_like

from spike_engine import dsp

resamplers = pytest.importorskip("resamplers", reason="a peer is not installed: pip install --group bench")

RATIOS = [
    (48000, 16000),
    (16000, 48000),
    (44100, 48000),
    (48000, 44100),
    (48000, 24000),
    (24000, 48000),
    (48000, 8000),
    (8000, 48000),
    (48000, 48024),
]
FORMS = [("float32", 2), ("int16", 1), ("int16", 2)]


def samples(rate_hz: int, seconds: float, dtype: str = "float32", channels: int = 1) -> Any:
    mono = speech_like(rate_hz, seconds)
    x = np.round(32767 * mono).astype(np.int16) if dtype == "int16" else mono
    return x if channels == 1 else np.ascontiguousarray(np.stack([x] * channels, axis=1))


@pytest.mark.parametrize("peer", resamplers.STREAMS)
@pytest.mark.parametrize(("from_hz", "to_hz"), RATIOS)
def bench_10_ms(benchmark: Any, from_hz: int, to_hz: int, peer: str) -> None:
    benchmark.group = f"resample 10 ms, {from_hz} to {to_hz}"
    benchmark(resamplers.STREAMS[peer](from_hz, to_hz), samples(from_hz, 0.01))


@pytest.mark.parametrize("peer", ["spike voice", "soxr HQ", "PyAV"])
@pytest.mark.parametrize(("dtype", "channels"), FORMS)
@pytest.mark.parametrize("milliseconds", [10, 20])
def bench_forms(benchmark: Any, milliseconds: int, dtype: str, channels: int, peer: str) -> None:
    benchmark.group = f"resample {milliseconds} ms, 48000 to 16000, {channels} x {dtype}"
    push = resamplers.STREAMS[peer](48000, 16000, channels, dtype)
    benchmark(push, samples(48000, milliseconds / 1000, dtype, channels))


@pytest.mark.parametrize("peer", ["spike voice", "soxr HQ", "scipy"])
@pytest.mark.parametrize(("from_hz", "to_hz"), RATIOS[:-1])
def bench_a_minute(benchmark: Any, from_hz: int, to_hz: int, peer: str) -> None:
    benchmark.group = f"resample 60 s, {from_hz} to {to_hz}"
    make = resamplers.scipy_polyphase if peer == "scipy" else resamplers.STREAMS[peer]
    minute = np.tile(samples(from_hz, 1.0), 60)
    benchmark.pedantic(make(from_hz, to_hz), (minute,), rounds=5, warmup_rounds=1)


@pytest.mark.parametrize("peer", ["nothing", "spike voice", "soxr HQ"])
def bench_3_samples(benchmark: Any, peer: str) -> None:
    """`nothing` is an empty call through pybind11: what is above it is ours."""
    benchmark.group = "resample 3 samples, 48000 to 16000"
    if peer == "nothing":
        benchmark(dsp.active_isa)
    else:
        benchmark(resamplers.STREAMS[peer](48000, 16000), samples(48000, 0.01)[:3].copy())
