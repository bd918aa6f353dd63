"""The picture of a cleaned recording: waveform, spectrograms, and what the echo canceller did. Constant memory."""

from __future__ import annotations

from math import log2
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine.dsp import EchoStats

_COLUMNS = 800  # at least these many once there is enough sound, at most twice as many
_INK, _CLEAN = "0.7", "#1f6feb"


class Sketch:
    """Waveform and spectrogram of a stream of unknown length: where the columns are too many, neighbours join."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.size = 1 << max(8, round(log2(rate_hz * 0.03)))
        self.columns: list[tuple[NDArray[np.float32], float, float]] = []  # power, lowest and highest sample
        self._frames: list[tuple[NDArray[np.float32], float, float]] = []  # of the column that is not full
        self._frames_per_column = 1
        self._kept = np.zeros(0, np.float32)
        self._window = np.hanning(self.size).astype(np.float32)

    def add(self, block: NDArray[np.float32]) -> None:
        """Add `block`, shape ``(n, channels)``: the mean of its channels is drawn."""
        samples = np.concatenate([self._kept, block.mean(axis=1)])
        whole = len(samples) // self.size * self.size
        self._kept = samples[whole:]
        for frame in samples[:whole].reshape(-1, self.size):
            power = np.square(np.abs(np.fft.rfft(frame * self._window))).astype(np.float32)
            self._frames.append((power, float(frame.min()), float(frame.max())))
            if len(self._frames) == self._frames_per_column:
                self.columns.append(_joined(self._frames))
                self._frames = []
        if len(self.columns) >= 2 * _COLUMNS:
            pairs = zip(self.columns[::2], self.columns[1::2], strict=False)
            self.columns = [_joined([*pair]) for pair in pairs]
            self._frames_per_column *= 2

    @property
    def seconds(self) -> float:
        """What the columns stand for."""
        return max(1, len(self.columns)) * self._frames_per_column * self.size / self.rate_hz

    def spectrogram_db(self) -> NDArray[np.float32]:
        """Shape ``(bins, columns)``, in dB of full scale."""
        power = np.stack([column[0] for column in self.columns], axis=1) if self.columns else np.zeros((2, 1))
        return np.asarray(10 * np.log10(power / (self.size / 4) ** 2 + 1e-12), np.float32)

    def envelope(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The lowest and the highest sample of each column."""
        low, high = [c[1] for c in self.columns] or [0.0], [c[2] for c in self.columns] or [0.0]
        return np.array(low), np.array(high)


class Portrait:
    """What a report draws, gathered while the recording goes by."""

    def __init__(self, rate_hz: int, *, echo: bool) -> None:
        self.before, self.after = Sketch(rate_hz), Sketch(rate_hz)
        self._echo = echo
        self._seconds = 0.0
        self._notes: list[tuple[float, float, float]] = []
        self._every = 1
        self._blocks = 0

    def note(self, seconds: float, stats: EchoStats) -> None:
        """The echo canceller's by-products after `seconds` more."""
        self._seconds += seconds
        self._blocks += 1
        if self._blocks % self._every == 0:
            self._notes.append((self._seconds, stats.erle_db, stats.delay_ms))
        if len(self._notes) >= 4 * _COLUMNS:
            self._notes = self._notes[1::2]
            self._every *= 2

    def draw(self, path: Path, *, title: str) -> None:
        """Write the picture; the suffix of `path` chooses its format."""
        from matplotlib.figure import Figure  # noqa: PLC0415 (an extra, and slow to load)

        rows = 5 if self._echo else 3
        figure = Figure(figsize=(11, 2 + 1.7 * rows), layout="constrained")
        axes: Any = figure.subplots(rows, 1, sharex=True)
        self._draw_waveforms(axes[0], title)
        for axis, sketch, name in ((axes[1], self.before, "before"), (axes[2], self.after, "after")):
            shown = axis.imshow(
                sketch.spectrogram_db(),
                origin="lower",
                aspect="auto",
                extent=(0, sketch.seconds, 0, sketch.rate_hz / 2000),
                vmin=-100,
                vmax=-20,
                cmap="magma",
                interpolation="nearest",
            )
            axis.set_ylabel(f"{name}\nkHz")
        figure.colorbar(shown, ax=list(axes[1:3]), label="dB of full scale")
        if self._echo:
            self._draw_echo(axes[3], axes[4])
        axes[-1].set_xlabel("seconds")
        axes[-1].set_xlim(0, self.before.seconds)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)

    def _draw_waveforms(self, axis: Any, title: str) -> None:
        for sketch, colour, name in ((self.before, _INK, "before"), (self.after, _CLEAN, "after")):
            low, high = sketch.envelope()
            axis.fill_between(np.linspace(0, sketch.seconds, len(low)), low, high, color=colour, label=name, lw=0)
        axis.set(title=title, ylabel="sample")
        axis.legend(loc="upper right", ncols=2, fontsize=8)

    def _draw_echo(self, erle: Any, delay: Any) -> None:
        times, erles_db, delays_ms = np.array(self._notes or [(0.0, 0.0, 0.0)]).T
        erle.plot(times, erles_db, color=_CLEAN)
        erle.set(ylabel="echo turned\ndown by / dB")
        delay.plot(times, delays_ms, color=_CLEAN)
        delay.set(ylabel="delay / ms")
        for axis in (erle, delay):
            axis.grid(alpha=0.3)


def _joined(columns: list[tuple[NDArray[np.float32], float, float]]) -> tuple[NDArray[np.float32], float, float]:
    powers, low, high = zip(*columns, strict=True)
    return np.mean(powers, axis=0, dtype=np.float32), min(low), max(high)
