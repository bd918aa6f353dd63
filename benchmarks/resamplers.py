"""Our resampler and its peers behind one face: `make(from_hz, to_hz)` gives a function that a stream is pushed into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import av
import numpy as np
import samplerate
import scipy.signal
import soxr

from spike_engine import dsp

Push = Callable[[Any], Any]
Make = Callable[..., Push]


def spike(quality: Any) -> Make:
    def make(from_hz: int, to_hz: int, channels: int = 1, dtype: str = "float32") -> Push:
        return dsp.Resampler(from_hz, to_hz, channels=channels, dtype=dtype, quality=quality).process

    return make


def spike_varying(from_hz: int, to_hz: int, channels: int = 1, dtype: str = "float32") -> Push:
    nominal = 1.0 if 0.95 < to_hz / from_hz < 1.05 else to_hz / from_hz
    resampler = dsp.Resampler(from_hz, round(from_hz * nominal), channels=channels, dtype=dtype)
    resampler.set_ratio(to_hz / from_hz)
    return resampler.process


def soxr_stream(quality: str, *, varying: bool = False) -> Make:
    def make(from_hz: int, to_hz: int, channels: int = 1, dtype: str = "float32") -> Push:
        return soxr.ResampleStream(from_hz, to_hz, channels, dtype, quality=quality, vr=varying).resample_chunk

    return make


def libsamplerate(converter: str) -> Make:
    def make(from_hz: int, to_hz: int, channels: int = 1) -> Push:
        resampler = samplerate.Resampler(converter, channels=channels)
        return lambda chunk: resampler.process(chunk, to_hz / from_hz)

    return make


def pyav(from_hz: int, to_hz: int, channels: int = 1, dtype: str = "float32") -> Push:
    layout, form = ("mono", "stereo")[channels - 1], {"float32": "flt", "int16": "s16"}[dtype]
    resampler = av.AudioResampler(format=form, layout=layout, rate=to_hz)

    def push(chunk: Any) -> Any:
        frame = av.AudioFrame.from_ndarray(chunk.reshape(1, -1), form, layout)
        frame.sample_rate = from_hz
        made = [out.to_ndarray().reshape(-1, channels) for out in resampler.resample(frame)]
        joined = np.concatenate(made) if made else np.zeros((0, channels), chunk.dtype)
        return joined[:, 0] if channels == 1 else joined

    return push


def scipy_polyphase(from_hz: int, to_hz: int, channels: int = 1) -> Push:
    divisor = int(np.gcd(from_hz, to_hz))
    return lambda whole: scipy.signal.resample_poly(whole, to_hz // divisor, from_hz // divisor, axis=0)


STREAMS: dict[str, Make] = {
    "spike voice": spike("voice"),
    "spike fast": spike("fast"),
    "spike mastering": spike("mastering"),
    "spike varying": spike_varying,
    "soxr QQ": soxr_stream("QQ"),
    "soxr LQ": soxr_stream("LQ"),
    "soxr MQ": soxr_stream("MQ"),
    "soxr HQ": soxr_stream("HQ"),
    "soxr VHQ": soxr_stream("VHQ"),
    "soxr varying": soxr_stream("HQ", varying=True),
    "libsamplerate medium": libsamplerate("sinc_medium"),
    "libsamplerate best": libsamplerate("sinc_best"),
    "PyAV": pyav,
}
