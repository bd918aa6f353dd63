"""sounddevice's streams, `play` and `rec`, on a device that does not hear itself.

A program that hears its own loudspeaker needs one other line::

    from spike_engine.integrations import sounddevice as sd      # instead of: import sounddevice as sd

Samples are float32, int16 or int32, at any rate from 8 to 48 kHz. The microphone has one voice, which goes to every
channel; what is played becomes mono. One stream may read; whatever is played by any of them is taken out of it. Streams
that play at the same time are heard in turn. The devices are the system's default ones.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spike_engine.dsp.settings import whole
from spike_engine.integrations.streams import (
    FINE,
    BaseStream,
    CallbackAbort,
    CallbackFlags,
    CallbackStop,
    InputStream,
    OutputStream,
    PortAudioError,
    RawInputStream,
    RawOutputStream,
    RawStream,
    Stream,
    default,
)

__all__ = [
    "CallbackAbort",
    "CallbackFlags",
    "CallbackStop",
    "InputStream",
    "OutputStream",
    "PortAudioError",
    "RawInputStream",
    "RawOutputStream",
    "RawStream",
    "Stream",
    "default",
    "get_status",
    "get_stream",
    "play",
    "playrec",
    "query_devices",
    "rec",
    "sleep",
    "stop",
    "wait",
]

_latest: list[BaseStream] = []


def play(
    data: ArrayLike, samplerate: float | None = None, *, blocking: bool = False, loop: bool = False, **settings: Any
) -> None:
    """Play `data`, shape ``(frames,)`` or ``(frames, channels)``, instead of what `play` and `rec` did before."""
    _begin(OutputStream, samplerate, data=_frames_of(data), loop=loop, blocking=blocking, **settings)


def rec(
    frames: int,
    samplerate: float | None = None,
    channels: int | None = None,
    dtype: Any = None,
    *,
    out: NDArray[Any] | None = None,
    blocking: bool = False,
    **settings: Any,
) -> NDArray[Any]:
    """Record `frames` of the cleaned microphone; the array, shape ``(frames, channels)``, is full after `wait`."""
    out = _empty(frames, channels, dtype) if out is None else out
    _begin(InputStream, samplerate, out=out, blocking=blocking, **settings)
    return out


def playrec(
    data: ArrayLike,
    samplerate: float | None = None,
    channels: int | None = None,
    dtype: Any = None,
    *,
    out: NDArray[Any] | None = None,
    blocking: bool = False,
    **settings: Any,
) -> NDArray[Any]:
    """Play `data` and record as long: what the user says, not what is played."""
    said = _frames_of(data)
    out = _empty(len(said), channels, dtype or said.dtype) if out is None else out
    _begin(Stream, samplerate, data=said, out=out, blocking=blocking, **settings)
    return out


def wait(ignore_errors: bool = True) -> CallbackFlags:
    """Return when `play`, `rec` or `playrec` has come to its end."""
    for stream in _latest:
        stream.wait()
    return FINE


def stop(ignore_errors: bool = True) -> None:
    """End `play`, `rec` or `playrec` now."""
    while _latest:
        _latest.pop().close()


def get_stream() -> BaseStream:
    """The stream of the latest `play`, `rec` or `playrec`."""
    if not _latest:
        raise RuntimeError("play(), rec() or playrec() was not called yet")
    return _latest[0]


def get_status() -> CallbackFlags:
    """Nothing has gone wrong."""
    return FINE


def sleep(msec: int) -> None:
    """Wait."""
    time.sleep(msec / 1000)


def query_devices(device: Any = None, kind: str | None = None) -> Any:
    """The one device that there is, alone where `device` or `kind` asks for one, else in a tuple."""
    low_s, high_s = 0.02, 0.06
    found: dict[str, Any] = {"name": "spike_engine", "index": 0, "hostapi": 0, "default_samplerate": 48000.0}
    for way in ("input", "output"):
        found |= {f"max_{way}_channels": 1, f"default_low_{way}_latency": low_s, f"default_high_{way}_latency": high_s}
    return (found,) if device is None and kind is None else found


class _Task:
    """Copies between arrays and the blocks of a stream, which has ended when they are full and heard."""

    def __init__(self, data: NDArray[Any] | None, out: NDArray[Any] | None, loop: bool) -> None:
        self._data, self._out, self._loop = data, out, loop
        self._length = max(len(array) for array in (data, out) if array is not None)
        self._at = 0

    def __call__(self, *arguments: Any) -> None:
        *blocks, frames, _, _ = arguments
        span = range(self._at, self._at + frames)
        self._at += frames
        if self._out is not None:
            part = self._out[span.start : span.stop]
            part[:] = blocks[0][: len(part)].reshape(part.shape)
        if self._data is not None:
            part = self._data.take(span, axis=0, mode="wrap") if self._loop else self._data[span.start : span.stop]
            blocks[-1][: len(part)] = part
        if self._at >= self._length and not self._loop:
            raise CallbackStop


def _begin(
    kind: type[BaseStream],
    samplerate: float | None,
    *,
    data: NDArray[Any] | None = None,
    out: NDArray[Any] | None = None,
    loop: bool = False,
    blocking: bool = False,
    **settings: Any,
) -> None:
    stop()
    ins, outs = (data if out is None else out), (out if data is None else data)
    assert ins is not None
    assert outs is not None
    stream = kind(
        samplerate,
        channels=tuple(array.shape[1] if array.ndim > 1 else 1 for array in (ins, outs)),
        dtype=(ins.dtype, outs.dtype),
        callback=_Task(data, out, loop),
        **settings,
    )
    stream.finished_callback = stream.close
    _latest.append(stream)
    stream.start()
    if blocking:
        wait()


def _frames_of(data: ArrayLike) -> NDArray[Any]:
    frames = np.asarray(data)
    frames = frames.astype(np.float32) if frames.dtype == np.float64 else frames
    return frames.reshape(len(frames), -1 if frames.size else 1)


def _empty(frames: int, channels: int | None, dtype: Any) -> NDArray[Any]:
    shape = whole("frames", frames), whole("channels", channels or default.channels[0])
    return np.zeros(shape, dtype or default.dtype[0])
