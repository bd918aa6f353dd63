"""One recording through the echo canceller and the noise suppressor."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp
from spike_engine.clean.audio_file import AudioReader, AudioWriter, Block, UnusableAudio
from spike_engine.clean.portrait import Portrait
from spike_engine.clean.presence import holds_echo_of
from spike_engine.clean.streams import Playhead, cut, in_time, resampled
from spike_engine.dsp.noise import NoiseMode, mode_of
from spike_engine.dsp.rates import working_rate_hz


@dataclass(frozen=True, slots=True)
class CleaningOptions:
    """How to clean.

    Attributes:
        noise_suppression: Turn down what is not speech; ``"recogniser"`` no more than a speech recogniser can bear.
        attenuation_db: The most that noise is turned down by, 0 to 60; None leaves it to the suppressor.
        gain_control: Bring speech to -23 dBFS, each channel by itself.
    """

    noise_suppression: bool | NoiseMode = True
    attenuation_db: float | None = None
    gain_control: bool = False


@dataclass(frozen=True, slots=True)
class CleanedFile:
    """What became of a recording.

    Attributes:
        source: The recording.
        target: What was written.
        seconds: Its length.
        rate_hz: The sampling rate of what was written.
        channels: Its channels.
        input_level_dbfs: How loud it was, over all of it; -100 for silence.
        output_level_dbfs: How loud it is now.
        echo_found: Whether the far end was heard in the recording; None without a far end.
        erle_db: By how much the echo was turned down in the end; None where there was none.
        delay_ms: How late the echo was found in the end; None where there was none.
        times_real_time: How much faster than real time it went.
    """

    source: str
    target: str
    seconds: float
    rate_hz: int
    channels: int
    input_level_dbfs: float
    output_level_dbfs: float
    echo_found: bool | None
    erle_db: float | None
    delay_ms: float | None
    times_real_time: float

    def __str__(self) -> str:
        echo = f", echo {self.erle_db:.0f} dB down, found {self.delay_ms:.0f} ms late" if self.echo_found else ""
        if self.echo_found is False:
            echo = ", no echo of it was found"
        levels = f"{self.input_level_dbfs:.1f} to {self.output_level_dbfs:.1f} dBFS"
        return f"{self.target}: {self.seconds:.1f} s, {levels}{echo}, {self.times_real_time:.0f} times real time"


def clean_file(
    source: Path | str,
    target: Path | str,
    *,
    far: Path | str | None = None,
    options: CleaningOptions | None = None,
    report: Path | str | None = None,
    on_progress: Callable[[float], None] = lambda seconds: None,
) -> CleanedFile:
    """Clean the recording `source` into `target`, which gets its rate, channels and length; both stay in time.

    A format that lacks the rate gets the next one that it has: Opus 48000 Hz for 44100.

    Memory does not grow with the length. Each channel is cleaned by itself. Above 48 kHz, what lies over 24 kHz goes.

    Args:
        source: Any sound that PyAV reads, 1 to 8 channels, 8 to 192 kHz.
        target: .wav, .flac, .mp3, .ogg, .opus or .m4a; written whole or not at all.
        far: What the loudspeaker played meanwhile, from the same moment on, mono or stereo, any rate: its echo is
            taken out. Where it is shorter than the recording, the loudspeaker was silent then. Where no echo of it is
            found, up to `presence.LATEST_S` late, nothing is taken out.
        options: How to clean; noise is suppressed by default.
        report: Draw a picture of what happened here; needs Matplotlib.
        on_progress: Called with the seconds that have been read.

    Raises:
        UnusableAudio: A file cannot be read or written, or `far` has more than two channels.
        ValueError: `attenuation_db` is out of range, or nothing would be done.
    """
    source, target = Path(source), Path(target)
    options = options or CleaningOptions()
    if not (options.noise_suppression or options.gain_control) and far is None:
        raise ValueError("without noise suppression, gain control and a far end, there is nothing to do")
    for given, what in ((source, "the recording"), (far, "the far end")):
        if given and _are_one(target, given):
            raise UnusableAudio(f"{target} is {what} itself: write somewhere else")
    if far and _are_one(source, far):
        raise UnusableAudio(f"{far} is the recording itself, and not what the loudspeaker played meanwhile")
    began = time.perf_counter()
    with ExitStack() as files:
        reader = files.enter_context(AudioReader(source))
        echo_found = _holds_echo(source, Path(far)) if far else None
        far_reader = files.enter_context(AudioReader(Path(far))) if far and echo_found else None
        chain = _Chain(reader, far_reader, options)
        portrait = Portrait(reader.rate_hz, echo=bool(echo_found)) if report else None
        before, after = _Meter(), _Meter()
        with AudioWriter(target, reader) as writer:
            for block in _cleaned(reader, chain, before, portrait, on_progress):
                after.add(block)
                if portrait:
                    portrait.after.add(block)
                writer.write(block)
            if not before.samples:
                raise UnusableAudio(f"{source} holds no sound: its length is 0")
    if portrait and report:
        _draw(portrait, Path(report), source)
    seconds = before.samples / reader.rate_hz
    stats = chain.echo_stats
    return CleanedFile(
        source=str(source),
        target=str(target),
        seconds=round(seconds, 3),
        rate_hz=writer.rate_hz,
        channels=reader.channels,
        input_level_dbfs=before.level_dbfs,
        output_level_dbfs=after.level_dbfs,
        echo_found=echo_found,
        erle_db=round(stats.erle_db, 1) if stats else None,
        delay_ms=round(stats.delay_ms, 1) if stats else None,
        times_real_time=round(seconds / max(time.perf_counter() - began, 1e-9), 1),
    )


def _are_one(path: Path | str, other: Path | str) -> bool:
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):  # one of them is not there, or has no possible name
        return False


def _draw(portrait: Portrait, report: Path, source: Path) -> None:
    try:
        portrait.draw(report, title=source.name)
    except (OSError, ValueError) as error:
        raise UnusableAudio(f"{report} cannot be drawn, though {source} is cleaned: {error}") from error


def _holds_echo(source: Path, far: Path) -> bool:
    """Reads both once, before they are read to be cleaned."""
    with AudioReader(source) as mic, AudioReader(far) as played:
        if played.channels > 2:
            raise UnusableAudio(f"{far} must be mono or stereo, not of {played.channels} channels")
        return holds_echo_of(mic, played)


def _cleaned(
    reader: AudioReader,
    chain: _Chain,
    before: _Meter,
    portrait: Portrait | None,
    on_progress: Callable[[float], None],
) -> Iterator[Block]:
    def read() -> Iterator[Block]:
        for block in reader.blocks():
            before.add(block)
            if portrait:
                portrait.before.add(block)
            yield block
            on_progress(before.samples / reader.rate_hz)

    def process(block: Block) -> Block:
        out = chain.process(block)
        if portrait and chain.echo_stats:
            portrait.note(len(block) / chain.rate_hz, chain.echo_stats)
        return out

    channels = reader.channels
    inner = resampled(read(), reader.rate_hz, chain.rate_hz, channels)
    cleaned = in_time(inner, process, chain.latency_samples)
    return cut(resampled(cleaned, chain.rate_hz, reader.rate_hz, channels), lambda: before.samples, channels)


class _Chain:
    """The stages of each channel, at a rate that they take."""

    def __init__(self, reader: AudioReader, far: AudioReader | None, options: CleaningOptions) -> None:
        rate_hz = self.rate_hz = working_rate_hz(reader.rate_hz)
        each = range(reader.channels)
        self._far: Playhead | None = None
        self._cancellers: list[dsp.EchoCanceller] = []
        self._suppressors: list[dsp.NoiseSuppressor] = []
        if far:
            self._far = Playhead(resampled(far.blocks(), far.rate_hz, rate_hz, far.channels), far.channels)
            self._cancellers = [dsp.EchoCanceller(rate_hz, far_channels=far.channels) for _ in each]
        if mode := mode_of(options.noise_suppression):
            attenuation_db = options.attenuation_db
            self._suppressors = [dsp.NoiseSuppressor(rate_hz, mode=mode, attenuation_db=attenuation_db) for _ in each]
        self._gains = [dsp.GainControl(rate_hz) for _ in each] if options.gain_control else []
        stages = [*self._cancellers[:1], *self._suppressors[:1], *self._gains[:1]]
        self.latency_samples = sum(stage.latency_samples for stage in stages)

    def process(self, block: Block) -> Block:
        channels = [np.ascontiguousarray(channel) for channel in block.T]
        if self._far:
            far = self._far.take(len(block))
            far_end = far[:, 0].copy() if far.shape[1] == 1 else far
            channels = [c.process(x, far_end) for c, x in zip(self._cancellers, channels, strict=True)]
        if self._suppressors:
            channels = [s.process(x) for s, x in zip(self._suppressors, channels, strict=True)]
        if self._gains:
            channels = [g.process(x) for g, x in zip(self._gains, channels, strict=True)]
        return np.stack(channels, axis=1)

    @property
    def echo_stats(self) -> dsp.EchoStats | None:
        """Of the first channel."""
        return self._cancellers[0].stats if self._cancellers else None


class _Meter:
    """The level of everything that was added."""

    def __init__(self) -> None:
        self.samples = 0
        self._power = 0.0
        self._count = 0

    def add(self, block: NDArray[np.float32]) -> None:
        self.samples += len(block)
        self._power += float(np.square(block, dtype=np.float64).sum())
        self._count += block.size

    @property
    def level_dbfs(self) -> float:
        return round(max(-100.0, 10 * float(np.log10(self._power / max(self._count, 1) + 1e-20))), 1)
