"""The echo canceller."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spike_engine import _core
from spike_engine._core import EchoStats
from spike_engine.dsp.settings import choice, real, whole
from spike_engine.dsp.stage import S, Stage, contiguous, package_weights, process_with_far

EchoResidual = Literal["neural", "spectral"]


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


class EchoCanceller(Stage):
    """Removes the loudspeaker's sound from the microphone and leaves the person who talks over it.

    Two partitioned-block frequency-domain Kalman filters (Enzner and Vary 2006; Kuech, Mabande and Enzner 2014), one
    sure and one quick, model 260 ms of the room behind a bulk delay of up to 1 s, which generalised cross-correlation
    finds (Knapp and Carter 1976). The drift of two clocks is measured and undone. What is left of the echo,
    ``"spectral"`` suppresses in proportion to the filter's uncertainty and to the leakage (Valin 2007); with
    ``"neural"`` a recurrent network of 305 thousand parameters, trained for this package, has the word below 8 kHz.

    Args:
        sample_rate_hz: 8000 to 48000; see :mod:`spike_engine.dsp`.
        far_channels: 1, or 2 for a stereo loudspeaker.
        residual: ``"neural"`` or ``"spectral"``: what takes out the echo that the linear stage has left.

    Raises:
        TypeError, ValueError: A setting is none of these.
        WeightsError: The package's file of weights is damaged; says its name and checksum.
    """

    def __init__(
        self, sample_rate_hz: int = 48000, *, far_channels: int = 1, residual: EchoResidual = "neural"
    ) -> None:
        self.sample_rate_hz, self.far_channels = (
            whole("sample_rate_hz", sample_rate_hz),
            whole("far_channels", far_channels),
        )
        self.residual = residual
        self._core: _core.EchoCanceller = _core.EchoCanceller(
            self.sample_rate_hz, self.far_channels, echo_weights_of(residual)
        )

    def process(self, mic: S, far: S | None, *, out: S | None = None) -> S:
        """Take out of `mic`, shape ``(n,)``, what the loudspeaker played meanwhile.

        `far` has shape ``(n,)``, or ``(n, 2)`` for stereo; None for `far` is a silent loudspeaker. Both have the same
        dtype.
        """
        return process_with_far(self._core, mic, far, out)

    def linear_stage(self, mic: NDArray[np.float32], far: NDArray[np.float32]) -> LinearStage:
        """What the linear stage makes of `mic` and a mono `far`, float32 of shape ``(n,)`` in whole frames of 10 ms.

        For who trains or examines a residual stage: what goes on to it, without the frame of delay that it adds. Only
        at rates at which the stage works.

        Raises:
            ValueError: Another shape, two far channels, or another rate.
        """
        mic, far = contiguous("mic", mic, (np.float32,)), contiguous("far", far, (np.float32,))
        return LinearStage(*self._core.linear_stage(mic, far))

    def hint_delay(self, delay_ms: float) -> None:
        """Say what the devices' timestamps tell of the delay from `far` to `mic`; heeded until the echo is found.

        Raises:
            ValueError: `delay_ms` is not from 0 to 1000.
        """
        self._core.hint_delay(real("delay_ms", delay_ms))

    @property
    def stats(self) -> EchoStats:
        """By-products of the last frame.

        ``erle_db``, ``delay_ms``, ``drift_ppm``, ``converged``, ``double_talk``, ``near_end``, the probability that the
        near end talks, and ``share_left``, what the linear stage leaves of the microphone's power.
        """
        return self._core.stats


def echo_weights_of(residual: EchoResidual) -> _core.Weights | None:
    """The weights that `residual` needs; ValueError for another word."""
    return package_weights("echo.spkw") if choice("residual", residual, "neural", "spectral") == "neural" else None
