"""Streams as sounddevice has them, on a device that does not hear itself; :mod:`.sounddevice` is their face."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace, TracebackType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.dsp.settings import whole
from spike_engine.errors import InvalidOption
from spike_engine.frames import convert_samples
from spike_engine.integrations import blocking

logger = logging.getLogger(__name__)

_LEAD_S = {"low": blocking.LEAD_S / 3, "high": blocking.LEAD_S}
_DTYPES = ("float32", "int16", "int32")

default = SimpleNamespace(
    samplerate=None, blocksize=0, channels=(1, 1), dtype=("float32", "float32"), latency=("high", "high"), device=(0, 0)
)
"""What a stream takes where it is not told otherwise, by sounddevice's names."""


def _pair(value: Any) -> tuple[Any, Any]:
    """A setting for in and out, whether it was given once or twice."""
    if isinstance(value, list | tuple):
        first, second = value
        return first, second
    return value, value


def _dtype_of(value: Any) -> Any:
    name = np.dtype(value).name
    if name not in _DTYPES:
        raise InvalidOption(f"dtype must be one of {', '.join(_DTYPES)}, not {value!r}")
    return name


def _channels_of(value: Any) -> int:
    if not 1 <= whole("channels", value) <= 8:
        raise InvalidOption(f"channels must be 1 to 8, not {value}")
    return int(value)


class PortAudioError(Exception):
    """A stream is used for what it is not, or no more."""


class CallbackStop(Exception):
    """Raised by a callback: end the stream when all of this block has been heard."""


class CallbackAbort(Exception):
    """Raised by a callback: end the stream now."""


@dataclass(frozen=True)
class CallbackFlags:
    """Nothing has gone wrong: a reader has five seconds, and a loudspeaker that runs dry plays silence."""

    input_underflow = input_overflow = output_underflow = output_overflow = priming_output = False

    def __bool__(self) -> bool:
        return False


FINE = CallbackFlags()


class BaseStream:
    """What all streams share; each class says whether it reads, writes, and gives bytes instead of arrays."""

    _reads: ClassVar[bool] = False
    _writes: ClassVar[bool] = False
    _raw: ClassVar[bool] = False

    def __init__(
        self,
        samplerate: float | None = None,
        blocksize: int | None = None,
        device: Any = None,
        channels: Any = None,
        dtype: Any = None,
        latency: Any = None,
        extra_settings: Any = None,
        callback: Callable[..., object] | None = None,
        finished_callback: Callable[[], object] | None = None,
        **_settings: Any,
    ) -> None:
        rate_hz = whole("samplerate", samplerate or default.samplerate or ENGINE_RATE_HZ)
        self.samplerate = float(rate_hz)
        self.blocksize = whole("blocksize", blocksize or default.blocksize or 0)
        self._channels = tuple(_channels_of(each) for each in _pair(channels or default.channels))
        self._dtypes = tuple(_dtype_of(each) for each in _pair(dtype or default.dtype))
        lead = _pair(latency or default.latency)[1]
        self._lead_s = _LEAD_S[lead] if isinstance(lead, str) else float(lead)
        self._callback, self.finished_callback = callback, finished_callback
        self._capture = blocking.Capture(rate_hz, self._dtypes[0]) if self._reads else None
        self._playback = blocking.Playback(rate_hz) if self._writes else None
        self.active = self.closed = False
        self._aborts = False
        self._thread = threading.Thread()
        self._closing = threading.Lock()

    def _of_both(self, pair: Sequence[Any]) -> Any:
        """A pair for a stream that reads and writes, else the one that counts."""
        return tuple(pair) if self._reads and self._writes else pair[0 if self._reads else 1]

    @property
    def channels(self) -> Any:
        """How many channels, or how many in and out."""
        return self._of_both(self._channels)

    @property
    def dtype(self) -> Any:
        """Of the samples, or of those that come in and go out."""
        return self._of_both(self._dtypes)

    @property
    def samplesize(self) -> Any:
        """Bytes of a sample, or of one in and one out."""
        return self._of_both([np.dtype(each).itemsize for each in self._dtypes])

    @property
    def latency(self) -> Any:
        """Seconds to the program, from the program, or both."""
        ears, mouth = self._capture, self._playback
        return self._of_both((ears.latency_s if ears else 0.0, mouth.latency_s if mouth else 0.0))

    @property
    def time(self) -> float:
        """The clock of the times that callbacks get, in seconds."""
        return time.monotonic()

    @property
    def stopped(self) -> bool:
        """Neither running nor about to."""
        return not self.active

    @property
    def read_available(self) -> int:
        """How many frames can be read without waiting."""
        return self._ears().available

    @property
    def write_available(self) -> int:
        """How many frames can be written without waiting."""
        return self._mouth().available

    def read(self, frames: int) -> tuple[Any, bool]:
        """The next `frames` of the cleaned microphone, shape ``(frames, channels)``, and False: nothing was lost."""
        block = self._block(self._ears().read(whole("frames", frames)))
        return (block.data.cast("B") if self._raw else block), False

    def write(self, data: Any) -> bool:
        """Play `data`, shape ``(frames, channels)`` or ``(frames,)``; waits for room. False: it had not run dry."""
        samples = np.frombuffer(data, self._dtypes[1]) if self._raw else np.asarray(data)
        if samples.dtype != self._dtypes[1]:
            raise TypeError(f"dtype mismatch: {samples.dtype.name!r} vs {self._dtypes[1]!r}")
        many = self._channels[1]
        if samples.size % many or (samples.ndim == 2 and samples.shape[1] != many) or samples.ndim > 2:
            raise ValueError(f"number of channels must match: {samples.shape} is not (frames, {many})")
        mono = convert_samples(np.ascontiguousarray(samples.reshape(-1, many)), "float32", channels=1)
        self._mouth().write(mono)
        return False

    def start(self) -> None:
        """Begin to call back."""
        self._check_open()
        if self.active:
            return
        self.active, self._aborts = True, False
        if self._callback:
            self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
            self._thread.start()

    def stop(self, ignore_errors: bool = True) -> None:
        """End; what was written is heard first."""
        was_active = self._end()
        if self._playback and was_active and not self._aborts:
            self._playback.drain()

    def abort(self, ignore_errors: bool = True) -> None:
        """End now; what was written is dropped."""
        self._aborts = True
        if self._end() and self._playback:
            self._playback.abort()

    def wait(self) -> None:
        """Return when the callbacks have come to their end."""
        if self._thread.is_alive():
            self._thread.join()

    def close(self, ignore_errors: bool = True) -> None:
        """Free the device; may be called twice."""
        self.abort()
        with self._closing:
            parts = [part for part in (self._capture, self._playback) if part]
            self._capture, self._playback, self.closed = None, None, True
        for part in parts:
            part.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        self.close()

    def _check_open(self) -> None:
        if self.closed:
            raise PortAudioError("the stream is closed")

    def _ears(self) -> blocking.Capture:
        self._check_open()
        if self._capture is None:
            raise PortAudioError("cannot read from an output-only stream")
        return self._capture

    def _mouth(self) -> blocking.Playback:
        self._check_open()
        if self._playback is None:
            raise PortAudioError("cannot write to an input-only stream")
        return self._playback

    def _block(self, mono: NDArray[Any]) -> NDArray[Any]:
        many = self._channels[0]
        return convert_samples(mono, self._dtypes[0], channels=many).reshape(-1, many)  # type: ignore[no-any-return]

    def _end(self) -> bool:
        """Have the callbacks end; returns whether they ran."""
        was_active, self.active = self.active, False
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        return was_active

    # --- callbacks, in a thread of their own --------------------------------------------------------------------------

    def _run(self) -> None:
        frames = self.blocksize or round(self.samplerate / 100)
        try:
            if self._playback and self._capture:
                self._playback.lead(self._lead_s)
            while self.active and self._call(frames):
                pass
        except Exception:
            logger.exception("the callback of a stream raised; the stream has ended")
        if self._playback and self.active and not self._aborts:
            self._playback.drain()
        self.active = False
        if self.finished_callback:
            self.finished_callback()

    def _call(self, frames: int) -> bool:
        """Call back once; False at the end."""
        assert self._callback
        told, blocks, goes_on = self._times(frames), [], True
        if self._capture:
            heard = self._capture.read(frames)
            if len(heard) < frames:  # the device was closed
                return False
            blocks.append(self._block(heard))
        said = np.zeros((frames, self._channels[1]), self._dtypes[1])
        if self._playback:
            blocks.append(said)
        try:
            self._callback(*(block.data.cast("B") if self._raw else block for block in blocks), frames, told, FINE)
        except CallbackStop:
            goes_on = False
        except CallbackAbort:
            self._aborts = True
            return False
        if self._playback and self.active:
            self.write(said.tobytes() if self._raw else said)
        return goes_on

    def _times(self, frames: int) -> SimpleNamespace:
        now_s = self.time
        ears_s = self._capture.latency_s + frames / self.samplerate if self._capture else 0.0
        mouth_s = self._playback.latency_s if self._playback else 0.0
        return SimpleNamespace(
            inputBufferAdcTime=now_s - ears_s, outputBufferDacTime=now_s + mouth_s, currentTime=now_s
        )


class InputStream(BaseStream):
    """Reads the cleaned microphone: ``callback(indata, frames, time, status)``, or `read`."""

    _reads = True


class OutputStream(BaseStream):
    """Plays: ``callback(outdata, frames, time, status)``, or `write`."""

    _writes = True


class Stream(BaseStream):
    """Both: ``callback(indata, outdata, frames, time, status)``, or `read` and `write`."""

    _reads = _writes = True


class RawInputStream(InputStream):
    """The same with bytes instead of arrays."""

    _raw = True


class RawOutputStream(OutputStream):
    """The same with bytes instead of arrays."""

    _raw = True


class RawStream(Stream):
    """The same with bytes instead of arrays."""

    _raw = True
