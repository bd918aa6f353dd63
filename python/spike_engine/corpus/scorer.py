"""Cheap figures of a clip that need no reference: how loud, noisy, wide, clipped and reverberant, how much speech."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp
from spike_engine.clean.audio_file import Block
from spike_engine.corpus.clips import UnusableClip, clip_of, column_of, rates_of
from spike_engine.corpus.reverberation import clarity_db

_SPEECH = 0.5  # a frame counts as speech from this probability on
_LOUDEST_DB = 100.0
_CLIPPED = 0.999  # of the clip's own peak: what was clipped may have been turned down afterwards
_CLIPPED_RUN = 3  # samples in a row


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of one clip, of its loudest channel.

    Attributes:
        seconds: Its length.
        level_dbfs: Of all of it, root mean square; -100 for silence.
        speech_level_dbfs: Of the frames that hold speech; -100 where none does.
        speech_share: Of its frames, 0 to 1.
        snr_db: Speech against the noise under it, as the noise suppressor tells the two apart, for which reverberation
            is noise; NaN without speech.
        clipped_share: Of its samples, those in a flat top of three or more at the peak.
        bandwidth_hz: Up to where its sound reaches: 50 dB under the loudest part of the spectrum.
        c50_db: How little of the room is in it, 30 where nothing is heard of one; see
            :func:`~spike_engine.corpus.reverberation.clarity_db`. NaN where noise or a lack of speech hides it.
    """

    seconds: float
    level_dbfs: float
    speech_level_dbfs: float
    speech_share: float
    snr_db: float
    clipped_share: float
    bandwidth_hz: float
    c50_db: float


@dataclass(frozen=True)
class Scorer:
    """Takes a batch of columns and gives it back with a column for each of :class:`Scores`, and ``error``.

    Like :class:`~spike_engine.corpus.Cleaner` it depends on no engine and can be pickled to any worker.

    Attributes:
        rate_hz: Sampling rate of clips that do not say it themselves.
        column: Holds the clips; by default the first that is known.
    """

    rate_hz: int | None = None
    column: str | None = None

    def on(self, column: str) -> Scorer:
        """The same for clips in `column`."""
        return replace(self, column=column)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """`batch` with the figures of its clips; NaN for a clip that is none.

        Raises:
            ValueError: There is no column of clips in it.
        """
        values = list(batch[column_of(batch, self.column)])
        nothing = dict.fromkeys(Scores.__dataclass_fields__, float("nan"))
        rows: list[dict[str, float]] = []
        errors: list[str] = []
        for value, rate in zip(values, rates_of(batch, len(values), self.rate_hz), strict=True):
            try:
                clip = clip_of(value, rate)
                rows.append(asdict(scores_of(clip.samples, clip.rate_hz)))
                errors.append("")
            except UnusableClip as error:
                rows.append(nothing)
                errors.append(str(error))
        columns: dict[str, Any] = {name: np.asarray([row[name] for row in rows]) for name in nothing}
        return {**batch, **columns, "error": np.asarray(errors)}


def scores_of(samples: Block, rate_hz: int) -> Scores:
    """The figures of `samples`, shape ``(n, channels)``, in [-1, 1]."""
    loudest = samples[:, int(np.argmax(np.square(samples, dtype=np.float64).sum(axis=0)))]
    at_16k = np.ascontiguousarray(loudest) if rate_hz == 16000 else dsp.resample(loudest.copy(), rate_hz, 16000)
    voice, speaks = _speech(at_16k)
    heard = at_16k[: len(voice)].reshape(-1, 160)
    noise = heard - voice.reshape(-1, 160)
    speech_power = _power(voice.reshape(-1, 160)[speaks])
    snr_db = _db(speech_power / (_power(noise[speaks]) + 1e-12)) if speaks.any() else float("nan")
    return Scores(
        seconds=round(len(samples) / rate_hz, 3),
        level_dbfs=max(-100.0, _db(_power(loudest))),
        speech_level_dbfs=max(-100.0, _db(_power(heard[speaks]))) if speaks.any() else -100.0,
        speech_share=float(speaks.mean()) if len(speaks) else 0.0,
        snr_db=min(snr_db, _LOUDEST_DB),
        clipped_share=_clipped_share(loudest),
        bandwidth_hz=_bandwidth_hz(loudest, rate_hz),
        c50_db=clarity_db(at_16k),
    )


def _speech(samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """What the noise suppressor takes for voice, in whole frames of 10 ms, and which frames hold speech."""
    suppressor = dsp.NoiseSuppressor(16000)
    late, count = suppressor.latency_samples, len(samples) // 160
    heard = np.zeros((count * 160 + late + 160,), np.float32)
    heard[: count * 160] = samples[: count * 160]
    voice, speaks = [], []
    for at in range(0, len(heard) // 160 * 160, 160):
        voice.append(suppressor.process(heard[at : at + 160]))
        speaks.append(suppressor.speech_probability > _SPEECH)
    first = late // 160
    made = np.concatenate(voice)[late : late + count * 160] if voice else np.zeros(0, np.float32)
    return made, np.asarray(speaks[first : first + count], bool)


def _clipped_share(samples: NDArray[np.float32]) -> float:
    """Of samples in runs at the positive or negative peak."""
    share = 0.0
    for side in (samples, -samples):
        peak = float(side.max(initial=0.0))
        flat = np.concatenate([[False], side >= _CLIPPED * peak, [False]]) if peak > 0.01 else np.zeros(2, bool)
        edges = np.flatnonzero(np.diff(flat.astype(np.int8)))
        lengths = edges[1::2] - edges[::2]
        share += float(lengths[lengths >= _CLIPPED_RUN].sum()) / max(1, len(samples))
    return share


def _bandwidth_hz(samples: NDArray[np.float32], rate_hz: int) -> float:
    size = 1024
    if len(samples) < size:
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(samples, size)[:: size // 2]
    window = np.hanning(size) / (np.abs(samples).max() + 1e-12)  # no power of any sound is out of range then
    power = np.zeros(size // 2 + 1)
    for part in np.array_split(windows, max(1, len(windows) // 512)):
        power += np.square(np.abs(np.fft.rfft(part * window, axis=1))).sum(axis=0)
    if power.max() <= 0:
        return 0.0
    return float(np.flatnonzero(power > power.max() * 1e-5)[-1] * rate_hz / size)


def _power(x: NDArray[np.float32]) -> float:
    return float(np.mean(np.square(x, dtype=np.float64))) if x.size else 0.0


def _db(power: float) -> float:
    return float(10 * np.log10(power + 1e-12))
