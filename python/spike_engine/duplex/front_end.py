"""The microphone's chain, whose far end is what the loudspeaker plays."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp
from spike_engine.devices.output import Output
from spike_engine.dsp.noise import NoiseMode
from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter, working_rate_hz


class FrontEnd:
    """Cleans what a microphone of any rate hears, while `output` plays. It is called in step with the microphone.

    It works at the microphone's own rate where that is lower than the engine's and simply related to it: there is
    nothing above it, and it takes less time.

    Args:
        output: Whose echo is taken out.
        echo_cancellation, noise_suppression, gain_control: See :class:`~spike_engine.dsp.CapturePipeline`.

    Attributes:
        pipeline: The chain, at the rate at which it works.
        captured: The last block as it came, at that rate.
    """

    def __init__(
        self,
        output: Output,
        *,
        echo_cancellation: bool = True,
        noise_suppression: bool | NoiseMode = True,
        gain_control: bool = False,
    ) -> None:
        self._output = output
        self._pipeline_at = partial(
            dsp.CapturePipeline,
            echo_cancellation=echo_cancellation,
            noise_suppression=noise_suppression,
            gain_control=gain_control,
        )
        self.captured = np.zeros(0, np.float32)
        self._to_engine = RateConverter()
        self._work_at(ENGINE_RATE_HZ)

    @property
    def latency_s(self) -> float:
        """How late what is cleaned is."""
        at_work_s = self.pipeline.latency_samples / self.pipeline.sample_rate_hz
        return self._to_working.latency_s + at_work_s + self._to_engine.latency_s

    def process(self, captured: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
        """`captured`, mono of shape ``(n,)`` at `rate_hz`, cleaned, at 48 kHz."""
        working_hz = _working_rate_hz(rate_hz)
        if working_hz != self.pipeline.sample_rate_hz:
            self._work_at(working_hz)
        self.captured = self._to_working(captured, rate_hz)
        far = self._output.played(len(captured) * working_hz // rate_hz, working_hz)
        return self._to_engine(self.pipeline.process(self.captured, far), working_hz)

    def _work_at(self, rate_hz: int) -> None:
        self.pipeline = self._pipeline_at(rate_hz)
        self._to_working = RateConverter(rate_hz)


def _working_rate_hz(microphone_hz: int) -> int:
    rate_hz = working_rate_hz(microphone_hz)
    return rate_hz if ENGINE_RATE_HZ % rate_hz == 0 else ENGINE_RATE_HZ
