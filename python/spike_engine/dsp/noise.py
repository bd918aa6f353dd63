"""The noise suppressor, for one stream and for many."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spike_engine import _core
from spike_engine.dsp.settings import choice, flag, real, whole
from spike_engine.dsp.stage import S, Stage, contiguous, contiguous_output, package_weights

NoiseMode = Literal["neural", "recogniser", "classical"]
RECOGNISER_ATTENUATION_DB = 10.0
WEIGHTS = {"neural": "noise.spkw", "recogniser": "noise_recogniser.spkw"}


class _NoiseStage(Stage):
    """What one noise suppressor and many share."""

    _core: _core.NoiseSuppressor | _core.NoiseSuppressorBank

    @property
    def attenuation_db(self) -> float:
        """The most that noise is turned down by; may be set while samples flow."""
        return self._core.attenuation_db

    @attenuation_db.setter
    def attenuation_db(self, attenuation_db: float) -> None:
        self._core.attenuation_db = real("attenuation_db", attenuation_db)


class NoiseSuppressor(_NoiseStage):
    """Turns down what is not speech.

    ``"neural"`` is a recurrent network of 1.54 million parameters, trained for this package, that answers each frame
    with gains on the ERB scale and complex filters for the low bins (deep filtering, Mack and Habets 2020), one frame
    of 10 ms later than ``"classical"``: the log-spectral amplitude estimator of Ephraim and Malah (1985) with the noise
    tracker of Gerkmann and Hendriks (2012), which follows steady noise only and needs no weights. ``"recogniser"`` is
    the same network with other weights, for a machine that listens: they were trained with what Whisper's encoder hears
    in the loss, and noise is turned down by 10 dB and no more, since a recogniser loses more by what a network does to
    the voice than by the noise (Iwamoto et al. 2022). The docs have the measured words.

    Args:
        sample_rate_hz: 8000 to 48000; see :mod:`spike_engine.dsp`.
        mode: ``"neural"`` for people, ``"recogniser"`` for machines, or ``"classical"``.
        attenuation_db: The most that noise is turned down by, 0 to 60 dB; None is 60 dB, 10 dB in the recogniser mode
            and 12 dB in the classical one.

    Raises:
        TypeError, ValueError: A setting is none of these.
        WeightsError: The package's file of weights is damaged; says its name and checksum.
    """

    def __init__(
        self, sample_rate_hz: int = 48000, *, mode: NoiseMode = "neural", attenuation_db: float | None = None
    ) -> None:
        self.sample_rate_hz, self.mode = whole("sample_rate_hz", sample_rate_hz), mode
        self._core: _core.NoiseSuppressor = _core.NoiseSuppressor(
            self.sample_rate_hz, attenuation_of(mode, attenuation_db), noise_weights_of(mode)
        )

    def process(self, x: S, *, out: S | None = None) -> S:
        """Clean `x`, shape ``(n,)``."""
        x = contiguous("x", x)
        result: S = self._core.process(x, contiguous_output(out, x.dtype))
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
        self.streams, self.sample_rate_hz = whole("streams", streams), whole("sample_rate_hz", sample_rate_hz)
        self.mode = mode
        self._core: _core.NoiseSuppressorBank = _core.NoiseSuppressorBank(
            self.streams, self.sample_rate_hz, attenuation_of(mode, attenuation_db), noise_weights_of(mode)
        )

    def process(self, x: S, *, out: S | None = None) -> S:
        """Clean `x`, shape ``(streams, n)``, one row for each stream."""
        x = contiguous("x", x)
        result: S = self._core.process(x, contiguous_output(out, x.dtype))
        return result

    @property
    def speech_probability(self) -> NDArray[np.float32]:
        """Whether the last frame of each stream holds speech, 0 to 1, shape ``(streams,)``."""
        return self._core.speech_probability


def noise_weights_of(mode: NoiseMode) -> _core.Weights | None:
    """The weights that `mode` needs; ValueError for another word."""
    name = WEIGHTS.get(choice("mode", mode, *get_args(NoiseMode)))
    return package_weights(name) if name else None


def attenuation_of(mode: NoiseMode, attenuation_db: float | None = None) -> float | None:
    """The most that `mode` turns noise down by where nothing else is asked for; None leaves it to the core."""
    if attenuation_db is not None:
        return real("attenuation_db", attenuation_db)
    return RECOGNISER_ATTENUATION_DB if mode == "recogniser" else None


def mode_of(noise_suppression: Any) -> NoiseMode | None:
    """The mode that an option `noise_suppression` stands for, a bool or a mode; None for none.

    Raises:
        TypeError, ValueError: It is neither, or another word.
    """
    if isinstance(noise_suppression, str):
        mode: Any = choice("noise_suppression", noise_suppression, *get_args(NoiseMode))
        return mode  # type: ignore[no-any-return]
    return "neural" if flag("noise_suppression", noise_suppression) else None
