"""The resampler."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from spike_engine import _core
from spike_engine.dsp.settings import choice, flag, real, whole
from spike_engine.dsp.stage import S, contiguous


class Resampler:
    """Changes the sampling rate of a stream.

    A polyphase Kaiser-windowed sinc (Crochiere and Rabiner 1983; between phases, Farrow 1988). After n samples exactly
    ``floor(n * to_hz / from_hz)`` have come out, so 10 ms in are 10 ms out; they are delayed by `latency_samples`. How
    a stream is cut into calls changes no bit of what comes out.

    Args:
        from_hz: Rate of what goes in, 8000 to 192000 Hz.
        to_hz: Rate of what comes out, 8000 to 192000 Hz.
        channels: 1 to 8.
        dtype: ``"float32"`` or ``"int16"``, of both sides.
        quality: All are flat within 0.01 dB to 0.45 of the lower rate and have their rejection from 0.56 of it:
            ``"voice"`` 130 dB, ``"fast"`` 85 dB with the least delay, ``"mastering"`` 150 dB, computed in float64.
        planar: Samples lie as ``(channels, n)``, not as ``(n, channels)``.

    Raises:
        TypeError: `dtype` is another.
        ValueError: A rate, a number of channels or a quality is none of these.
    """

    def __init__(
        self,
        from_hz: int,
        to_hz: int,
        *,
        channels: int = 1,
        dtype: str | type = "float32",
        quality: Literal["voice", "mastering", "fast"] = "voice",
        planar: bool = False,
    ) -> None:
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.dtype(np.float32), np.dtype(np.int16)):
            raise TypeError(f"dtype must be float32 or int16, not {self.dtype}")
        self.from_hz, self.to_hz = whole("from_hz", from_hz), whole("to_hz", to_hz)
        self.channels = whole("channels", channels)
        self._core = _core.Resampler(
            self.from_hz,
            self.to_hz,
            self.channels,
            self.dtype.kind == "i",
            choice("quality", quality, "voice", "mastering", "fast"),
            flag("planar", planar),
        )

    def process(self, x: S, *, last: bool = False, out: S | None = None) -> S:
        """Resample `x`, shape ``(n,)`` for mono, else ``(n, channels)`` or, planar, ``(channels, n)``.

        Any strides will do; nothing is copied. `out` takes what is due, any strides too. Samples that are NaN or
        infinite count as silence; int16 saturates.

        `last` ends the stream: ``round(n * to_hz / from_hz)`` samples have come out in all, and the next call begins
        a new stream. What the delay still holds then is lost: a recording is best resampled by :func:`resample`.

        Raises:
            TypeError: `x` or `out` is no array of the resampler's dtype.
            ValueError: Their shape is another, or `out` is read-only or overlaps `x`.
        """
        result: S = self._core.process(x, flag("last", last), out)
        return result

    def set_ratio(self, ratio: float) -> None:
        """Move to another ratio of `to_hz` over `from_hz`, gliding there within 10 ms.

        The first call allocates, and from then on the number of samples that come out is not exact but follows the
        ratio. `reset` goes back to the ratio of the rates.

        Raises:
            ValueError: `ratio` is more than 5 % away from ``to_hz / from_hz``.
        """
        self._core.set_ratio(real("ratio", ratio))

    @property
    def latency_samples(self) -> int:
        """The delay of the output, in output samples."""
        return self._core.latency_samples

    @property
    def latency_ms(self) -> float:
        """The same in milliseconds."""
        return 1000.0 * self.latency_samples / self.to_hz

    def reset(self) -> None:
        """Begin a new stream."""
        self._core.reset()


def resample(x: S, from_hz: int, to_hz: int, quality: Literal["voice", "mastering", "fast"] = "voice") -> S:
    """Resample a whole recording, shape ``(n,)`` or ``(n, channels)``, without delay.

    Returns ``round(n * to_hz / from_hz)`` samples, in time with those of `x`.
    """
    x = contiguous("x", x)
    if x.ndim not in (1, 2):
        raise ValueError(f"x must have shape (n,) or (n, channels), not {x.shape}")
    from_hz, to_hz = whole("from_hz", from_hz), whole("to_hz", to_hz)
    resampler = Resampler(
        from_hz, to_hz, channels=1 if x.ndim == 1 else x.shape[1], dtype=x.dtype.name, quality=quality
    )
    length = (2 * len(x) * to_hz + from_hz) // (2 * from_hz)
    delay = resampler.latency_samples
    behind = -(-(delay + 1) * from_hz // to_hz)  # silence that pushes the end out of the delay
    padded: Any = np.concatenate([x, np.zeros((behind, *x.shape[1:]), x.dtype)])
    resampled: Any = resampler.process(padded)[delay : delay + length]
    result: S = resampled
    return result
