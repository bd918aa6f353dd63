"""The files that the demo leaves: recordings, a picture of the AI, and a picture of the whole conversation."""

from __future__ import annotations

import textwrap
import wave
from pathlib import Path
from typing import Any

import numpy as np

from spike_engine.demo.acoustics import Samples
from spike_engine.demo.recorder import Recorder
from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.events import AISpeaking
from spike_engine.frames import convert_samples

_INK = "#1c2733"
_USER, _AI, _THINKING, _CUT = "#c2468a", "#1f8fa3", "#e0a72e", "#d03b2f"
_SPECTROGRAM_DB = (-95, -25)
_SPECTROGRAM_TOP_HZ = 8000
_CHARACTERS_ACROSS = 245  # of a caption, from the first second to the last
_CAPTION_LINES = 3


def write_report(recorder: Recorder, directory: Path) -> list[tuple[Path, str]]:
    """Write everything into `directory`, which is made; returns each path and what it holds."""
    directory.mkdir(parents=True, exist_ok=True)
    files: list[tuple[Path, str]] = []
    sounds = {
        "microphone-raw.wav": (recorder.track("microphone"), "what the microphone heard"),
        "microphone-processed.wav": (recorder.track("processed"), "what the engine sent"),
        "ai-audio.wav": (recorder.track("ai"), "what the AI said"),
    }
    for name, (samples, what) in sounds.items():
        _write_wave(directory / name, samples)
        files.append((directory / name, what))
    if recorder.picture is not None:
        from matplotlib.image import imsave  # noqa: PLC0415 (drawing is an extra)

        imsave(directory / "ai-frame.png", recorder.picture)
        files.append((directory / "ai-frame.png", "what the AI looked like"))
    draw_conversation(recorder, directory / "conversation.png")
    files.append((directory / "conversation.png", "the whole conversation at a glance"))
    return files


def draw_conversation(recorder: Recorder, path: Path) -> None:
    """Waveforms, spectrograms and events on one time line, 1600 x 1000 pixels."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (drawing is an extra)

    raw, processed, ai = (recorder.track(kind) for kind in ("microphone", "processed", "ai"))
    duration_s = max(len(raw), len(ai), ENGINE_RATE_HZ) / ENGINE_RATE_HZ
    figure = Figure(figsize=(16, 10), dpi=100, facecolor="white")
    rows = figure.subplots(6, 1, sharex=True, height_ratios=[2.3, 1, 1, 1, 1.35, 1.35])
    figure.subplots_adjust(left=0.085, right=0.985, top=0.925, bottom=0.055, hspace=0.16)
    figure.text(0.015, 0.965, "A conversation over WebRTC, its echo cancelled", fontsize=19, weight="bold", color=_INK)
    figure.text(0.985, 0.967, "spike_engine demo", fontsize=13, color="#7b8794", ha="right")

    _draw_events(rows[0], recorder, duration_s)
    _draw_wave(rows[1], ai, _AI, "AI voice")
    _draw_wave(rows[2], raw, "#8a94a0", "microphone\nraw")
    _draw_wave(rows[3], processed, _USER, "microphone\nsent")
    _draw_spectrogram(rows[4], raw, "raw")
    _draw_spectrogram(rows[5], processed, "sent")
    for axes in rows:
        _tidy(axes)
        axes.tick_params(bottom=axes is rows[-1])
        _shade_interruptions(axes, recorder)
    rows[-1].set_xlim(0, duration_s)
    rows[-1].set_xlabel("seconds", color=_INK)
    figure.savefig(path)


def _draw_events(axes: Any, recorder: Recorder, duration_s: float) -> None:
    rows = [
        ("AI speaks", _AI, _spans(recorder, "ai-speaking", ("ai-idle", "disconnected"), duration_s)),
        ("AI thinks", _THINKING, _spans(recorder, "ai-thinking", ("ai-speaking", "ai-idle"), duration_s)),
        ("user speaks", _USER, [(turn.began_at, turn.ended_at) for turn in recorder.turns]),
    ]
    for row, (label, colour, spans) in enumerate(rows):
        bars = [(begin, max(end - begin, 0.002 * duration_s)) for begin, end in spans]
        axes.broken_barh(bars, (row - 0.17, 0.34), color=colour, lw=0)
        place = axes.get_yaxis_transform()
        axes.text(-0.006, row, label, transform=place, ha="right", va="center", color=colour, fontsize=11)
    _draw_captions(axes, _answers(recorder), duration_s, row=-0.25, colour=_AI, align="bottom")
    heard = [(turn.began_at, turn.heard_as or "(not understood)") for turn in recorder.turns]
    _draw_captions(axes, heard, duration_s, row=2.25, colour=_USER, align="top")
    axes.set_ylim(3.6, -1.6)
    axes.set_yticks([])


def _draw_captions(
    axes: Any, captions: list[tuple[float, str]], duration_s: float, *, row: float, colour: str, align: str
) -> None:
    """Each text at its time, in as many lines as fit before the next."""
    ends = [begin for begin, _ in captions[1:]] + [duration_s]
    for (begin, text), end in zip(captions, ends, strict=False):
        width = max(10, int((end - begin) / duration_s * _CHARACTERS_ACROSS))
        lines = textwrap.wrap(text, width)
        if len(lines) > _CAPTION_LINES:
            lines = [*lines[: _CAPTION_LINES - 1], lines[_CAPTION_LINES - 1] + " …"]
        axes.text(begin, row, "\n".join(lines), fontsize=8, color=colour, va=align, linespacing=1.15)


def _draw_wave(axes: Any, samples: Samples, colour: str, label: str) -> None:
    columns = 1600
    size = max(1, len(samples) // columns)
    blocks = samples[: len(samples) // size * size].reshape(-1, size)
    times = (np.arange(len(blocks)) + 0.5) * size / ENGINE_RATE_HZ
    if len(blocks):
        axes.fill_between(times, blocks.min(axis=1), blocks.max(axis=1), color=colour, lw=0)
    axes.set_ylim(-0.75, 0.75)
    axes.set_yticks([])
    axes.set_ylabel(label, rotation=0, ha="right", va="center", color=_INK, fontsize=11)


def _draw_spectrogram(axes: Any, samples: Samples, label: str) -> None:
    size, step = 2048, 960
    padded = np.pad(samples, (0, max(0, size - len(samples))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)[::step]
    magnitude = np.abs(np.fft.rfft(windows * np.hanning(size).astype(np.float32), axis=1)) / (size / 4)
    top = int(_SPECTROGRAM_TOP_HZ * size / ENGINE_RATE_HZ)
    decibel = 20 * np.log10(magnitude[:, :top] + 1e-7).T
    extent = (0, len(windows) * step / ENGINE_RATE_HZ, 0, _SPECTROGRAM_TOP_HZ / 1000)
    low, high = _SPECTROGRAM_DB
    axes.imshow(decibel, aspect="auto", origin="lower", extent=extent, cmap="magma", vmin=low, vmax=high)
    axes.set_ylabel(f"{label}\nkHz", rotation=0, ha="right", va="center", color=_INK, fontsize=11)


def _shade_interruptions(axes: Any, recorder: Recorder) -> None:
    for turn in recorder.turns:
        if turn.interrupted:
            axes.axvline(turn.began_at, color=_CUT, lw=1.4, ls=(0, (4, 3)))


def _tidy(axes: Any) -> None:
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(colors="#7b8794", labelsize=9)


def _spans(recorder: Recorder, begin: str, ends: tuple[str, ...], duration_s: float) -> list[tuple[float, float]]:
    spans: list[tuple[float, float]] = []
    began_at: float | None = None
    for time_s, name, _ in recorder.events:
        if name == begin and began_at is None:
            began_at = time_s
        elif name in ends and began_at is not None:
            spans.append((began_at, time_s))
            began_at = None
    return spans if began_at is None else [*spans, (began_at, duration_s)]


def _answers(recorder: Recorder) -> list[tuple[float, str]]:
    """When each answer began, and all of its words."""
    answers: list[tuple[float, str]] = []
    speaking = False
    for time_s, name, event in recorder.events:
        if isinstance(event, AISpeaking):
            begin = answers.pop()[0] if speaking else time_s
            answers.append((begin, event.transcript))
        speaking = isinstance(event, AISpeaking) or (speaking and name not in ("ai-idle", "disconnected"))
    return answers


def _write_wave(path: Path, samples: Samples) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(ENGINE_RATE_HZ)
        file.writeframes(convert_samples(samples, "int16").tobytes())
