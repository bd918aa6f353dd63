"""A handler for FastRTC whose inner handler hears the user alone (``pip install "spike-engine[fastrtc]"``).

::

    stream = Stream(CleanHandler(MyHandler()), modality="audio", mode="send-receive")

Browsers cancel echo by themselves; telephones (``stream.fastphone()``), kiosks and other clients do not.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from fastrtc import AsyncStreamHandler

from spike_engine import dsp
from spike_engine.integrations.far_end import FarEnd

__all__ = ["CleanHandler"]


class CleanHandler(AsyncStreamHandler):
    """Takes what the inner handler says out of what it hears, with the noise.

    Args:
        inner: A ``StreamHandler`` or ``AsyncStreamHandler``.
        gain_control: Bring the voice to -23 dBFS.
        clock: Monotonic seconds, for tests.
    """

    def __init__(self, inner: Any, *, gain_control: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(
            expected_layout="mono",
            output_sample_rate=inner.output_sample_rate,
            input_sample_rate=inner.input_sample_rate,
            fps=inner.fps,
        )
        self._inner, self._clock, self._gain_control = inner, clock, gain_control
        self._chain = dsp.CapturePipeline(inner.input_sample_rate, gain_control=gain_control)
        self._far_end = FarEnd(inner.input_sample_rate)

    @property
    def stats(self) -> dsp.CaptureStats:
        """Of the last frame: the echo's attenuation, and whether the user talks."""
        return self._chain.stats

    def copy(self) -> CleanHandler:
        """For a new connection."""
        return CleanHandler(self._inner.copy(), gain_control=self._gain_control, clock=self._clock)

    async def start_up(self) -> None:
        """The inner handler's."""
        await _result(self._inner.start_up())

    async def receive(self, frame: tuple[int, Any]) -> None:
        """Clean a frame, int16 of shape ``(1, n)``, and hand it on."""
        rate_hz, heard = frame
        microphone = np.ascontiguousarray(np.ravel(heard), np.int16)
        cleaned = self._chain.process(microphone, self._far_end.take(len(microphone), self._clock()))
        if len(cleaned):
            await _result(self._inner.receive((rate_hz, cleaned.reshape(1, -1))))

    async def emit(self) -> Any:
        """What the inner handler says; it is listened to."""
        said = await _result(self._inner.emit())
        if isinstance(said, tuple) and len(said) >= 2 and isinstance(said[0], int):
            samples = np.ravel(said[1])
            if samples.dtype != np.int16:
                samples = np.clip(np.round(32768 * samples), -32768, 32767).astype(np.int16)
            self._far_end.append(np.ascontiguousarray(samples), said[0], 1, self._clock())
        return said

    def shutdown(self) -> None:
        """The inner handler's."""
        self._inner.shutdown()


async def _result(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
