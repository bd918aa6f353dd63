"""PyAudio's blocking streams and callbacks on a device that does not hear itself.

A program that talks with itself needs one other line::

    from spike_engine.integrations import pyaudio      # instead of: import pyaudio

Streams are mono and 16 bit, at any rate from 8 to 48 kHz, as the samples of voice APIs use them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from spike_engine.dsp.settings import whole
from spike_engine.errors import InvalidOption
from spike_engine.integrations import blocking

__all__ = ["PyAudio", "Stream", "get_sample_size", "paAbort", "paComplete", "paContinue", "paInt16"]

logger = logging.getLogger(__name__)

paInt16 = 8  # noqa: N816 (PyAudio's names and numbers)
paContinue, paComplete, paAbort = 0, 1, 2  # noqa: N816

_Callback = Callable[[bytes | None, int, Mapping[str, float], int], tuple[bytes | None, int]]


def get_sample_size(format: int) -> int:  # noqa: A002
    """Bytes of a sample: 2."""
    _check_format(format)
    return 2


class Stream:
    """What `PyAudio.open` returns: `read`, `write`, `start_stream`, `stop_stream`, `close`."""

    def __init__(
        self, rate: int, frames_per_buffer: int, callback: _Callback | None, *, reads: bool, writes: bool
    ) -> None:
        self._capture = blocking.Capture(rate) if reads else None
        self._playback = blocking.Playback(rate) if writes else None
        self._frames, self._callback = frames_per_buffer, callback
        self._active, self._thread = False, threading.Thread()

    def read(self, num_frames: int, exception_on_overflow: bool = True) -> bytes:
        """The next `num_frames` of the cleaned microphone; nothing overflows for five seconds."""
        if self._capture is None:
            raise OSError("Not input stream")
        return self._capture.read(whole("num_frames", num_frames)).tobytes()

    def write(self, frames: bytes, num_frames: int | None = None, exception_on_underflow: bool = False) -> None:
        """Play `frames`; returns when there is room for more."""
        if self._playback is None:
            raise OSError("Not output stream")
        samples = np.frombuffer(frames, np.int16)
        self._playback.write(samples if num_frames is None else samples[:num_frames])

    def start_stream(self) -> None:
        """Begin to call back."""
        if self._active:
            return
        self._active = True
        if self._callback:
            self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
            self._thread.start()

    def stop_stream(self) -> None:
        """Stop; what was written is heard first."""
        self._active = False
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        if self._playback:
            self._playback.drain()

    def is_active(self) -> bool:
        """Whether it runs."""
        return self._active

    def is_stopped(self) -> bool:
        """Whether it was stopped."""
        return not self._active

    def close(self) -> None:
        """Free the device; may be called twice."""
        self._active = False
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        for part in (self._capture, self._playback):
            if part:
                part.close()
        self._capture = self._playback = None

    def _run(self) -> None:
        assert self._callback
        if self._playback and self._capture:
            self._playback.lead(blocking.LEAD_S)
        try:
            while self._active:
                heard = self.read(self._frames) if self._capture else None
                said, flag = self._callback(heard, self._frames, {}, 0)
                if said and self._playback:
                    self.write(said)
                if flag != paContinue:
                    self._active = False
        except Exception:
            logger.exception("the callback of a stream raised; the stream has ended")
            self._active = False


class PyAudio:
    """PyAudio's entry: `open` a stream, `terminate` at the end."""

    def __init__(self) -> None:
        self._streams: list[Stream] = []

    def open(
        self,
        rate: int,
        channels: int,
        format: int,  # noqa: A002
        input: bool = False,  # noqa: A002
        output: bool = False,
        *_ignored: Any,
        frames_per_buffer: int = 1024,
        start: bool = True,
        stream_callback: _Callback | None = None,
        **_devices: Any,
    ) -> Stream:
        """A stream of the default devices; what names a device is left out.

        Raises:
            InvalidOption: It is not mono, not 16 bit, or neither an input nor an output.
            MediaError: A device cannot be opened.
        """
        _check_format(format)
        if channels != 1 or not (input or output):
            raise InvalidOption("streams are mono, and inputs or outputs or both")
        stream = Stream(rate, frames_per_buffer, stream_callback, reads=input, writes=output)
        self._streams.append(stream)
        if start:
            stream.start_stream()
        return stream

    def get_sample_size(self, format: int) -> int:  # noqa: A002
        """Bytes of a sample: 2."""
        return get_sample_size(format)

    def get_default_input_device_info(self) -> dict[str, Any]:
        """The engine's microphone."""
        return {"index": 0, "name": "spike_engine", "maxInputChannels": 1, "defaultSampleRate": 48000.0}

    def get_default_output_device_info(self) -> dict[str, Any]:
        """The engine's loudspeaker."""
        return {"index": 0, "name": "spike_engine", "maxOutputChannels": 1, "defaultSampleRate": 48000.0}

    def terminate(self) -> None:
        """Close every stream."""
        for stream in self._streams:
            stream.close()


def _check_format(format: int) -> None:  # noqa: A002
    if format != paInt16:
        raise InvalidOption(f"samples are of format paInt16, not {format!r}")
