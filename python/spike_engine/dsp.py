"""The engine's signal processing, usable alone: echo canceller, noise suppressor, the capture chain, meters.

Every stage takes mono float32 (in [-1, 1]) or int16 arrays of shape ``(n,)`` and returns the same dtype. A stage
works in frames of 10 ms: it keeps an unfinished frame and returns the frames that are due, delayed by
``latency_samples``. How a stream is cut into calls changes nothing in what comes out. ``out=`` takes an array of the
length that is due, so that nothing is allocated. Samples that are NaN or infinite count as silence.

Raises, in all stages: TypeError for anything but a float32 or int16 array, ValueError for a shape or a setting that
is not accepted; both say what is.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from spike_engine import _core
from spike_engine._core import CaptureStats, EchoStats, Ring, WeightsError, active_isa

__all__ = [
    "CapturePipeline",
    "CaptureStats",
    "EchoCanceller",
    "EchoStats",
    "LinearStage",
    "NoiseSuppressor",
    "NoiseSuppressorBank",
    "RenderPipeline",
    "Resampler",
    "Ring",
    "VoiceDetector",
    "WeightsError",
    "active_isa",
    "resample",
]

S = TypeVar("S", NDArray[np.float32], NDArray[np.int16])

NoiseMode = Literal["neural", "classical"]
EchoResidual = Literal["neural", "spectral"]


class _Stage:
    """What the stages share that work in frames and learn."""

    _core: _core.EchoCanceller | _core.NoiseSuppressor | _core.NoiseSuppressorBank | _core.CapturePipeline

    @property
    def latency_samples(self) -> int:
        """The delay of the output: that of the echo canceller, and two frames of 10 ms for the noise suppressor."""
        return self._core.latency_samples

    def reset(self) -> None:
        """Forget everything that was learned and kept."""
        self._core.reset()


class LinearStage(NamedTuple):
    """Signals of the echo canceller's linear stage, float32 of shape ``(n,)``.

    Attributes:
        error: What is left of the microphone.
        echo: The echo that was predicted: with `error` it makes up the microphone.
        far: The far end, as late as the echo's beginning.
    """

    error: NDArray[np.float32]
    echo: NDArray[np.float32]
    far: NDArray[np.float32]


class EchoCanceller(_Stage):
    """Removes the loudspeaker's sound from the microphone and leaves the person who talks over it.

    Two partitioned-block frequency-domain Kalman filters (Enzner and Vary 2006; Kuech, Mabande and Enzner 2014), one
    sure and one quick, model 260 ms of the room behind a bulk delay of up to 1 s, which generalised cross-correlation
    finds (Knapp and Carter 1976). The drift of two clocks is measured and undone. What is left of the echo,
    ``"spectral"`` suppresses in proportion to the filter's uncertainty and to the leakage (Valin 2007); with
    ``"neural"`` a recurrent network of 305 thousand parameters, trained for this package, has the word below 8 kHz.

    Args:
        sample_rate_hz: 16000, 24000, 32000, 44100 or 48000.
        far_channels: 1, or 2 for a stereo loudspeaker.
        residual: ``"neural"`` or ``"spectral"``: what takes out the echo that the linear stage has left.

    Raises:
        WeightsError: The package's file of weights is damaged; says its name and checksum.
    """

    def __init__(
        self, sample_rate_hz: int = 48000, *, far_channels: int = 1, residual: EchoResidual = "neural"
    ) -> None:
        weights = _echo_weights_of(residual)
        self._core: _core.EchoCanceller = _core.EchoCanceller(sample_rate_hz, far_channels, weights)
        self.sample_rate_hz, self.residual = sample_rate_hz, residual

    def process(self, mic: S, far: S | None, *, out: S | None = None) -> S:
        """Take out of `mic`, shape ``(n,)``, what the loudspeaker played meanwhile.

        `far` has shape ``(n,)``, or ``(n, 2)`` for stereo; None for `far` is a silent loudspeaker. Both have the same
        dtype.
        """
        return _process_with_far(self._core, mic, far, out)

    def linear_stage(self, mic: NDArray[np.float32], far: NDArray[np.float32]) -> LinearStage:
        """What the linear stage makes of `mic` and a mono `far`, float32 of shape ``(n,)`` in whole frames of 10 ms.

        For who trains or examines a residual stage: what goes on to it, without the frame of delay that it adds.

        Raises:
            ValueError: Another shape, or two far channels.
        """
        mic, far = _contiguous("mic", mic, (np.float32,)), _contiguous("far", far, (np.float32,))
        return LinearStage(*self._core.linear_stage(mic, far))

    def hint_delay(self, delay_ms: float) -> None:
        """Say what the devices' timestamps tell of the delay from `far` to `mic`; heeded until the echo is found."""
        self._core.hint_delay(delay_ms)

    @property
    def stats(self) -> EchoStats:
        """By-products of the last frame.

        ``erle_db``, ``delay_ms``, ``drift_ppm``, ``converged``, ``double_talk``, ``near_end``, the probability that the
        near end talks, and ``share_left``, what the linear stage leaves of the microphone's power.
        """
        return self._core.stats


class _NoiseStage(_Stage):
    """What one noise suppressor and many share."""

    _core: _core.NoiseSuppressor | _core.NoiseSuppressorBank

    @property
    def attenuation_db(self) -> float:
        """The most that noise is turned down by; may be set while samples flow."""
        return self._core.attenuation_db

    @attenuation_db.setter
    def attenuation_db(self, attenuation_db: float) -> None:
        self._core.attenuation_db = attenuation_db


class NoiseSuppressor(_NoiseStage):
    """Turns down what is not speech.

    ``"neural"`` is a recurrent network of 987 thousand parameters, trained for this package, that answers each frame
    with gains on the ERB scale and complex filters for the low bins (deep filtering, Mack and Habets 2020), one frame
    of 10 ms later than ``"classical"``: the log-spectral amplitude estimator of Ephraim and Malah (1985) with the noise
    tracker of Gerkmann and Hendriks (2012), which follows steady noise only and needs no weights.

    Args:
        sample_rate_hz: A multiple of 100 from 8000 to 48000.
        mode: ``"neural"`` or ``"classical"``.
        attenuation_db: The most that noise is turned down by, 0 to 60 dB; None is 60 dB, 12 dB for the classical mode.

    Raises:
        WeightsError: The package's file of weights is damaged; says its name and checksum.
    """

    def __init__(
        self, sample_rate_hz: int = 48000, *, mode: NoiseMode = "neural", attenuation_db: float | None = None
    ) -> None:
        self._core: _core.NoiseSuppressor = _core.NoiseSuppressor(sample_rate_hz, attenuation_db, _weights_of(mode))
        self.sample_rate_hz = sample_rate_hz
        self.mode = mode

    def process(self, x: S, *, out: S | None = None) -> S:
        """Clean `x`, shape ``(n,)``."""
        result: S = self._core.process(_contiguous("x", x), _contiguous_output(out))
        return result

    @property
    def speech_probability(self) -> float:
        """Whether the last frame holds speech, 0 to 1."""
        return self._core.speech_probability


class NoiseSuppressorBank(_NoiseStage):
    """The noise suppressor for many streams in step: the same samples as from one for each, in less time.

    Args:
        streams: How many, 1 to 4096.
        sample_rate_hz: As for :class:`NoiseSuppressor`, and so are `mode` and `attenuation_db`, of all the streams.
    """

    def __init__(
        self,
        streams: int,
        sample_rate_hz: int = 48000,
        *,
        mode: NoiseMode = "neural",
        attenuation_db: float | None = None,
    ) -> None:
        weights = _weights_of(mode)
        self._core: _core.NoiseSuppressorBank = _core.NoiseSuppressorBank(
            streams, sample_rate_hz, attenuation_db, weights
        )
        self.streams, self.sample_rate_hz, self.mode = streams, sample_rate_hz, mode

    def process(self, x: S, *, out: S | None = None) -> S:
        """Clean `x`, shape ``(streams, n)``, one row for each stream."""
        result: S = self._core.process(_contiguous("x", x), _contiguous_output(out))
        return result

    @property
    def speech_probability(self) -> NDArray[np.float32]:
        """Whether the last frame of each stream holds speech, 0 to 1, shape ``(streams,)``."""
        return self._core.speech_probability


class CapturePipeline(_Stage):
    """Everything that happens to a microphone before it is sent, in one native call.

    In this order: high-pass at 80 Hz, echo canceller, noise suppressor, voice detector, level meters.

    Args:
        sample_rate_hz: 16000, 24000, 32000, 44100 or 48000.
        echo_cancellation: Run the echo canceller.
        noise_suppression: Run the noise suppressor.
        far_channels: 1, or 2 for a stereo loudspeaker.
    """

    def __init__(
        self,
        sample_rate_hz: int = 48000,
        *,
        echo_cancellation: bool = True,
        noise_suppression: bool = True,
        far_channels: int = 1,
    ) -> None:
        self._core: _core.CapturePipeline = _core.CapturePipeline(
            sample_rate_hz,
            echo_cancellation=echo_cancellation,
            noise_suppression=noise_suppression,
            far_channels=far_channels,
            noise_weights=_weights_of("neural") if noise_suppression else None,
            echo_weights=_echo_weights_of("neural") if echo_cancellation else None,
        )
        self.sample_rate_hz = sample_rate_hz

    def process(self, mic: S, far: S | None, *, out: S | None = None) -> S:
        """Process `mic`, shape ``(n,)``, with `far` as :meth:`EchoCanceller.process` takes it."""
        return _process_with_far(self._core, mic, far, out)

    @property
    def stats(self) -> CaptureStats:
        """By-products of the last frame.

        Those of the echo canceller, and ``speech_probability``, ``voice_active`` (the near end talks; the own
        loudspeaker does not count), ``input_level_dbfs`` and ``output_level_dbfs``.
        """
        return self._core.stats


class RenderPipeline:
    """What happens to the AI's voice on its way to the loudspeaker: a gain without clicks, a limit, a meter. No delay.

    Args:
        sample_rate_hz: 8000 to 192000.
    """

    def __init__(self, sample_rate_hz: int = 48000) -> None:
        self._core = _core.RenderPipeline(sample_rate_hz)

    def process(self, x: NDArray[np.float32], *, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Apply the gain to `x`, mono float32 of shape ``(n,)``."""
        return self._core.process(_contiguous("x", x, (np.float32,)), _contiguous_output(out))

    @property
    def gain(self) -> float:
        """1 plays as it came, 0 is silence, up to 4; a change takes effect within 10 ms."""
        return self._core.gain

    @gain.setter
    def gain(self, gain: float) -> None:
        self._core.gain = gain

    @property
    def level(self) -> float:
        """Loudness of what was played last, 0 to 1."""
        return self._core.level

    @property
    def level_dbfs(self) -> float:
        """The same in dB of full scale, -100 for silence."""
        return self._core.level_dbfs

    def reset(self) -> None:
        """Set the meter to silence."""
        self._core.reset()


class VoiceDetector:
    """Says whether somebody talks, on a signal that is clean already.

    Args:
        sample_rate_hz: A multiple of 100 from 8000 to 48000.
        hangover_ms: How long a pause still counts as speech.
    """

    def __init__(self, sample_rate_hz: int = 48000, *, hangover_ms: int = 200) -> None:
        self._core = _core.VoiceDetector(sample_rate_hz, hangover_ms)

    def process(self, x: NDArray[np.float32] | NDArray[np.int16]) -> float:
        """Listen to `x`, shape ``(n,)``; returns the probability of speech in its last frame, 0 to 1."""
        samples: Any = _contiguous("x", x)  # type: ignore[type-var]
        return self._core.process(samples)

    @property
    def probability(self) -> float:
        """Of speech in the last frame, 0 to 1."""
        return self._core.probability

    @property
    def active(self) -> bool:
        """Somebody talks, or did within the hangover."""
        return self._core.active

    def reset(self) -> None:
        """Forget the noise floor and the samples that were kept."""
        self._core.reset()


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
        self._core = _core.Resampler(from_hz, to_hz, channels, self.dtype.kind == "i", quality, planar)
        self.from_hz, self.to_hz, self.channels = from_hz, to_hz, channels

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
        result: S = self._core.process(x, last, out)
        return result

    def set_ratio(self, ratio: float) -> None:
        """Move to another ratio of `to_hz` over `from_hz`, gliding there within 10 ms.

        The first call allocates, and from then on the number of samples that come out is not exact but follows the
        ratio. `reset` goes back to the ratio of the rates.

        Raises:
            ValueError: `ratio` is more than 5 % away from ``to_hz / from_hz``.
        """
        self._core.set_ratio(ratio)

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
    x = _contiguous("x", x)
    if x.ndim not in (1, 2):
        raise ValueError(f"x must have shape (n,) or (n, channels), not {x.shape}")
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


@cache
def _package_weights(name: str) -> _core.Weights:
    """A file of the package's weights; streams share it."""
    return _core.Weights((resources.files("spike_engine") / "weights" / name).read_bytes(), name)


def _weights_of(mode: NoiseMode) -> _core.Weights | None:
    if mode not in ("neural", "classical"):
        raise ValueError(f"mode must be 'neural' or 'classical', not {mode!r}")
    return _package_weights("noise.spkw") if mode == "neural" else None


def _echo_weights_of(residual: EchoResidual) -> _core.Weights | None:
    if residual not in ("neural", "spectral"):
        raise ValueError(f"residual must be 'neural' or 'spectral', not {residual!r}")
    return _package_weights("echo.spkw") if residual == "neural" else None


def _process_with_far(core: Any, mic: S, far: S | None, out: S | None) -> S:
    mic = _contiguous("mic", mic)
    if far is not None:
        far = _contiguous("far", far)
        if far.dtype != mic.dtype:
            raise TypeError(f"mic and far must have the same dtype, not {mic.dtype} and {far.dtype}")
    result: S = core.process(mic, far, _contiguous_output(out, mic.dtype))
    return result


def _contiguous(name: str, x: S, dtypes: tuple[type, ...] = (np.float32, np.int16)) -> S:
    """`x` itself, or a copy in one piece where it is strided."""
    if not isinstance(x, np.ndarray) or x.dtype.type not in dtypes or not x.dtype.isnative:
        kind = f"an array of {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
        accepted = " or ".join(np.dtype(dtype).name for dtype in dtypes)
        raise TypeError(f"{name} must be a NumPy array of {accepted}, not {kind}")
    return x if x.flags.c_contiguous else np.ascontiguousarray(x)


def _contiguous_output(out: S | None, dtype: np.dtype[Any] | None = None) -> S | None:
    if out is None:
        return None
    if not isinstance(out, np.ndarray) or (dtype is not None and out.dtype != dtype):
        raise TypeError("out must be a NumPy array of the samples' dtype")
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError("out must be contiguous and writeable")
    return out
