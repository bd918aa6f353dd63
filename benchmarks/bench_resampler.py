"""Streaming 10 ms of mono float32, and a minute in one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pytest
from signals import speech_like

from spike_engine import dsp

RATIOS = [(48000, 16000), (16000, 48000), (44100, 48000), (48000, 24000), (48000, 8000)]


def spike(from_hz: int, to_hz: int) -> Callable[[Any], Any]:
    return dsp.Resampler(from_hz, to_hz).process


def soxr_hq(from_hz: int, to_hz: int) -> Callable[[Any], Any]:
    soxr = pytest.importorskip("soxr", reason="the peer soxr is not installed")
    return soxr.ResampleStream(from_hz, to_hz, 1, "float32", quality="HQ").resample_chunk


def samplerate_best(from_hz: int, to_hz: int) -> Callable[[Any], Any]:
    samplerate = pytest.importorskip("samplerate", reason="the peer samplerate is not installed")
    resampler = samplerate.Resampler("sinc_best", channels=1)
    return lambda chunk: resampler.process(chunk, to_hz / from_hz)


def pyav(from_hz: int, to_hz: int) -> Callable[[Any], Any]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=to_hz)

    def process(chunk: Any) -> Any:
        frame = av.AudioFrame.from_ndarray(chunk[None], "flt", "mono")
        frame.sample_rate = from_hz
        return [out.to_ndarray() for out in resampler.resample(frame)]

    return process


@pytest.mark.parametrize("peer", [spike, soxr_hq, samplerate_best, pyav], ids=lambda peer: peer.__name__)
@pytest.mark.parametrize(("from_hz", "to_hz"), RATIOS)
def bench_10_ms(benchmark: Any, from_hz: int, to_hz: int, peer: Callable[..., Any]) -> None:
    benchmark.group = f"resample 10 ms, {from_hz} to {to_hz}"
    chunk = speech_like(from_hz, 0.01)
    benchmark(peer(from_hz, to_hz), chunk)


@pytest.mark.parametrize("peer", [spike, soxr_hq], ids=lambda peer: peer.__name__)
@pytest.mark.parametrize(("from_hz", "to_hz"), RATIOS[:3])
def bench_a_minute(benchmark: Any, from_hz: int, to_hz: int, peer: Callable[..., Any]) -> None:
    benchmark.group = f"resample 60 s, {from_hz} to {to_hz}"
    minute = np.tile(speech_like(from_hz, 1.0), 60)
    benchmark.pedantic(peer(from_hz, to_hz), (minute,), rounds=5, warmup_rounds=1)
