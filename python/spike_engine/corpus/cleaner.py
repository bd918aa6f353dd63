"""A batch of clips without its noise, and where far ends are given without its echo."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp
from spike_engine.clean.audio_file import Block
from spike_engine.clean.streams import cut, resampled
from spike_engine.corpus.clips import Clip, UnusableClip, clip_of, column_of, rates_of
from spike_engine.corpus.files import clean_files, name_of
from spike_engine.dsp.noise import NoiseMode
from spike_engine.dsp.rates import working_rate_hz

LANES = 32  # streams that the bank cleans side by side
# Lanes of one bank run for as long as the longest of them: a clip joins those that are at least so much of its length.
LEAST_FILLED = 0.8
_SECONDS_AT_ONCE = 30  # of an hour's recording in the bank's hands


@dataclass(frozen=True)
class Cleaner:
    """Takes a batch of columns and gives it back with its clips cleaned, and a column ``error``.

    It depends on no engine and opens nothing before its first call, so it can be pickled to any worker::

        ray.data.read_audio(uri, include_paths=True).map_batches(Cleaner(), batch_size=32)
        dataset.map(Cleaner().on("audio"), batched=True, batch_size=32, num_proc=16)
        dask.bag.from_sequence(files).map_partitions(Cleaner().files, out="s3://bucket/cleaned")

    Rows keep their order, and clips their length, rate, channels and form. What a clip becomes does not depend on the
    batch that it is in: it is what ``spike-engine clean`` makes of the same samples. A clip that cannot be cleaned
    stays as it is, and its ``error`` says why; that of the others is an empty string.

    Attributes:
        rate_hz: Sampling rate of clips that do not say it themselves, nor a column such as ``sample_rate``.
        mode: Of the suppressor: ``"neural"`` for people, ``"recogniser"`` where a recogniser is to hear the clips, or
            ``"classical"``.
        attenuation_db: The most that noise is turned down by, 0 to 60; None leaves it to the suppressor.
        column: Holds the clips; by default the first of ``audio``, ``amplitude``, ``array``, ``bytes``, ``path``, ...
            that is there. What a row may hold says :func:`spike_engine.corpus.clips.clip_of`.
        far_column: Holds what the loudspeaker played from the same moment on; a row without one is None.
    """

    rate_hz: int | None = None
    attenuation_db: float | None = None
    column: str | None = None
    far_column: str | None = None
    mode: NoiseMode = "neural"

    def on(self, column: str, *, far: str | None = None) -> Cleaner:
        """The same for clips in `column`, and far ends in the column `far`."""
        return replace(self, column=column, far_column=far)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """`batch`, a mapping of columns to arrays or lists of one length, cleaned.

        Raises:
            ValueError: There is no column of clips in it.
        """
        column = column_of(batch, self.column)
        values = list(batch[column])
        rates = rates_of(batch, len(values), self.rate_hz)
        fars = list(batch[column_of(batch, self.far_column)]) if self.far_column else [None] * len(values)
        errors = [""] * len(values)
        clips: dict[int, Clip] = {}
        far_ends: dict[int, Clip] = {}
        for row, (value, rate, far) in enumerate(zip(values, rates, fars, strict=True)):
            try:
                clips[row] = clip_of(value, rate)
                if far is not None:
                    far_ends[row] = _far_end_of(far, rate)
            except UnusableClip as error:
                clips.pop(row, None)
                errors[row] = str(error)
        for row, cleaned in self.clean(clips, far_ends).items():
            values[row] = clips[row].restore(cleaned)
        return {**batch, column: _like(batch[column], values), "error": _like(batch[column], errors)}

    def files(self, paths: Iterable[str], *, out: str, root: str | None = None) -> list[dict[str, Any]]:
        """Clean files of any place that fsspec knows into `out`, and say of each what became of it.

        What is there already, made of the same bytes by the same engine and settings, is not made again. Below `out` a
        file has its name below `root`, or its last name alone; what is no .wav or .flac becomes .wav.

        Returns:
            Of each path, in order, ``{"path", "target", "seconds", "skipped", "error"}``.
        """
        return clean_files(self, ((path, name_of(path, root)) for path in map(str, paths)), out=out)

    def clean(self, clips: Mapping[int, Clip], far_ends: Mapping[int, Clip]) -> dict[int, Block]:
        """The cleaned samples of each clip, of its own shape; those of one working rate side by side in a bank."""
        inner = {row: _at_rate(clip, working_rate_hz(clip.rate_hz)) for row, clip in clips.items()}
        for row, far in far_ends.items():
            if row in inner:
                inner[row] = _without_echo(inner[row], far, working_rate_hz(clips[row].rate_hz))
        for rate_hz in {working_rate_hz(clip.rate_hz) for clip in clips.values()}:
            rows = [row for row, clip in clips.items() if working_rate_hz(clip.rate_hz) == rate_hz]
            for lanes in _grouped([(row, channel) for row in rows for channel in range(inner[row].shape[1])], inner):
                self._suppress(lanes, inner, rate_hz)
        return {row: _at_own_rate(inner[row], clip) for row, clip in clips.items()}

    def _suppress(self, lanes: list[tuple[int, int]], inner: dict[int, Block], rate_hz: int) -> None:
        bank = dsp.NoiseSuppressorBank(len(lanes), rate_hz, mode=self.mode, attenuation_db=self.attenuation_db)
        late = bank.latency_samples
        longest = max(len(inner[row]) for row, _ in lanes)
        step = min(int(_SECONDS_AT_ONCE * rate_hz), -(-(longest + late) // (rate_hz // 100)) * (rate_hz // 100))
        heard = np.empty((len(lanes), step), np.float32)
        for at in range(0, longest + late, step):
            heard[:] = 0.0
            for lane, (row, channel) in enumerate(lanes):
                part = inner[row][at : at + step, channel]
                heard[lane, : len(part)] = part
            made = bank.process(heard)
            early = max(0, late - at)  # of what comes out: it was heard before the clip
            for lane, (row, channel) in enumerate(lanes):
                part = inner[row][max(0, at - late) : at - late + step, channel]
                part[:] = made[lane, early : early + len(part)]


def _far_end_of(value: Any, rate_hz: Any) -> Clip:
    clip = clip_of(value, rate_hz)
    if clip.samples.shape[1] > 2:
        raise UnusableClip(f"a far end has 1 or 2 channels, not {clip.samples.shape[1]}")
    return clip


def _grouped(lanes: list[tuple[int, int]], inner: Mapping[int, Block]) -> Iterable[list[tuple[int, int]]]:
    """Lanes of about one length together, at most as many as a bank takes best."""
    group: list[tuple[int, int]] = []
    for lane in sorted(lanes, key=lambda lane: len(inner[lane[0]]), reverse=True):
        if group and (len(group) == LANES or len(inner[lane[0]]) < LEAST_FILLED * len(inner[group[0][0]])):
            yield group
            group = []
        group.append(lane)
    if group:
        yield group


def _at_rate(clip: Clip, rate_hz: int) -> Block:
    blocks = resampled(iter([clip.samples]), clip.rate_hz, rate_hz, clip.samples.shape[1])
    return np.concatenate([block.reshape(-1, clip.samples.shape[1]) for block in blocks]).astype(np.float32, copy=True)


def _at_own_rate(samples: Block, clip: Clip) -> Block:
    channels = clip.samples.shape[1]
    blocks = resampled(iter([samples]), working_rate_hz(clip.rate_hz), clip.rate_hz, channels)
    return np.concatenate(list(cut(blocks, lambda: len(clip.samples), channels)))


def _without_echo(samples: Block, far: Clip, rate_hz: int) -> Block:
    """`samples` less the echo of `far`; silence behind both pushes the end out of the delay."""
    channels = far.samples.shape[1]
    played = _at_rate(far, rate_hz)
    out = np.empty_like(samples)
    for channel in range(samples.shape[1]):
        canceller = dsp.EchoCanceller(rate_hz, far_channels=channels)
        late = canceller.latency_samples
        length = -(-(len(samples) + late) // (rate_hz // 100)) * (rate_hz // 100)
        heard = np.zeros(length, np.float32)
        heard[: len(samples)] = samples[:, channel]
        far_end = np.zeros((length, channels), np.float32)
        far_end[: min(length, len(played))] = played[:length]
        made = canceller.process(heard, far_end[:, 0].copy() if channels == 1 else far_end)
        out[:, channel] = made[late : late + len(samples)]
    return out


def _like(column: Any, values: list[Any]) -> Any:
    """`values` as the batch has its columns: an array of objects beside arrays, else a list."""
    if not isinstance(column, np.ndarray):
        return values
    if column.dtype != object and values and isinstance(values[0], np.ndarray):
        return np.stack(values)
    if values and isinstance(values[0], str):
        return np.asarray(values)
    array: NDArray[Any] = np.empty(len(values), object)
    array[:] = values
    return array
