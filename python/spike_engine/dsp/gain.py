"""The gain control."""

from __future__ import annotations

from spike_engine import _core
from spike_engine.dsp.settings import real, whole
from spike_engine.dsp.stage import S, Stage, contiguous, contiguous_output


class GainControl(Stage):
    """Brings speech to one loudness, whoever talks and however far away. No delay.

    The active speech level (ITU-T P.56) is averaged over three seconds of speech; a second average, over 0.4 s, takes
    over where somebody else talks. The gain that brings it to the target follows by up to 25 dB a second, and only
    while somebody talks. It is applied to what stands out of the noise floor: pauses stay as quiet as they came. A
    limiter keeps every sample within 0.9 (Giannoulis, Massberg and Reiss 2012). Meant for a signal that is clean
    already: after the echo canceller and the noise suppressor, as in :class:`CapturePipeline`.

    Args:
        sample_rate_hz: 8000 to 48000; see :mod:`spike_engine.dsp`.
        target_dbfs: The root mean square of speech while somebody talks, -40 to -10 dB of full scale.
        max_gain_db: The most that speech is raised by, 0 to 50 dB. It is lowered by up to 20 dB.

    Raises:
        TypeError, ValueError: A setting is none of these.
    """

    def __init__(self, sample_rate_hz: int = 48000, *, target_dbfs: float = -23.0, max_gain_db: float = 30.0) -> None:
        self.sample_rate_hz = whole("sample_rate_hz", sample_rate_hz)
        self.target_dbfs, self.max_gain_db = real("target_dbfs", target_dbfs), real("max_gain_db", max_gain_db)
        self._core: _core.GainControl = _core.GainControl(self.sample_rate_hz, self.target_dbfs, self.max_gain_db)

    def process(self, x: S, *, out: S | None = None) -> S:
        """Level `x`, shape ``(n,)``."""
        x = contiguous("x", x)
        result: S = self._core.process(x, contiguous_output(out, x.dtype))
        return result

    @property
    def gain_db(self) -> float:
        """What speech is raised by now, in dB; negative where it is lowered."""
        return self._core.gain_db
