"""The chains of the microphone and of the loudspeaker, each in one native call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spike_engine import _core
from spike_engine._core import CaptureStats
from spike_engine.dsp.echo import echo_weights_of
from spike_engine.dsp.noise import NoiseMode, attenuation_of, mode_of, noise_weights_of
from spike_engine.dsp.settings import flag, real, whole
from spike_engine.dsp.stage import S, Stage, contiguous, contiguous_output, process_with_far


class CapturePipeline(Stage):
    """Everything that happens to a microphone before it is sent, in one native call.

    In this order: high-pass at 80 Hz, echo canceller, noise suppressor, voice detector, gain control, level meters.

    Args:
        sample_rate_hz: 8000 to 48000; see :mod:`spike_engine.dsp`.
        echo_cancellation: Run the echo canceller.
        noise_suppression: Run the noise suppressor; True or the mode of a :class:`NoiseSuppressor`: ``"recogniser"``
            where a machine listens.
        gain_control: Bring the voice to -23 dBFS, as :class:`GainControl` does, what is left of the echo excepted.
        far_channels: 1, or 2 for a stereo loudspeaker.
    """

    def __init__(
        self,
        sample_rate_hz: int = 48000,
        *,
        echo_cancellation: bool = True,
        noise_suppression: bool | NoiseMode = True,
        gain_control: bool = False,
        far_channels: int = 1,
    ) -> None:
        self.sample_rate_hz, self.far_channels = (
            whole("sample_rate_hz", sample_rate_hz),
            whole("far_channels", far_channels),
        )
        mode = mode_of(noise_suppression)
        self._core: _core.CapturePipeline = _core.CapturePipeline(
            self.sample_rate_hz,
            echo_cancellation=flag("echo_cancellation", echo_cancellation),
            noise_suppression=mode is not None,
            gain_control=flag("gain_control", gain_control),
            far_channels=self.far_channels,
            noise_attenuation_db=attenuation_of(mode) if mode else None,
            noise_weights=noise_weights_of(mode) if mode else None,
            echo_weights=echo_weights_of("neural") if echo_cancellation else None,
        )

    def process(self, mic: S, far: S | None, *, out: S | None = None) -> S:
        """Process `mic`, shape ``(n,)``, with `far` as :meth:`EchoCanceller.process` takes it."""
        return process_with_far(self._core, mic, far, out)

    @property
    def stats(self) -> CaptureStats:
        """By-products of the last frame.

        Those of the echo canceller, and ``speech_probability``, ``voice_active`` (the near end talks; the own
        loudspeaker does not count), ``voice_suspected`` (it may talk: told sooner, and wrong more often),
        ``input_level_dbfs``, ``output_level_dbfs`` and ``gain_db``, what the gain control adds to the voice.
        """
        return self._core.stats


class RenderPipeline:
    """What happens to the AI's voice on its way to the loudspeaker: a gain without clicks, a limit, a meter. No delay.

    Args:
        sample_rate_hz: 8000 to 192000.
    """

    def __init__(self, sample_rate_hz: int = 48000) -> None:
        self._core = _core.RenderPipeline(whole("sample_rate_hz", sample_rate_hz))

    def process(self, x: NDArray[np.float32], *, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Apply the gain to `x`, mono float32 of shape ``(n,)``."""
        x = contiguous("x", x, (np.float32,))
        return self._core.process(x, contiguous_output(out, x.dtype))

    @property
    def gain(self) -> float:
        """1 plays as it came, 0 is silence, up to 4; a change takes effect within 10 ms."""
        return self._core.gain

    @gain.setter
    def gain(self, gain: float) -> None:
        self._core.gain = real("gain", gain)

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
