"""Sound files, read and written block by block through PyAV."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import av
import numpy as np
from numpy.typing import NDArray

from spike_engine import frames
from spike_engine.addresses.files import NO_OTHER_FILES, file_address, input_address
from spike_engine.addresses.text import printable
from spike_engine.devices.decoding import frames_in, tags_of_any_encoding

logger = logging.getLogger(__name__)

Block = NDArray[np.float32]  # shape (n, channels), in [-1, 1]; recordings of floats may go beyond

BROKEN = (OSError, ValueError, av.FFmpegError)  # what PyAV raises of a file

# A .wav says in its header what it holds. FFmpeg would read on for megabytes to find out, and give 4 kB at a time.
_WAVE = {"probesize": "32768", "max_size": "32768"}

SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".webm", ".mp4", ".mkv")  # looked for in folders
_CODECS = {".flac": "flac", ".mp3": "libmp3lame", ".ogg": "libopus", ".opus": "libopus", ".m4a": "aac"}
_PCM = {"u8": "pcm_s16le", "s16": "pcm_s16le", "s32": "pcm_s24le"}  # the codec of a .wav, by its source's samples
_COMPANDED = ("pcm_mulaw", "pcm_alaw")  # a .wav of a telephone's stays one
_LAYOUTS = ("", "mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")  # by the number of channels
_MOST_DAMAGED = 1000  # pieces in a row, after which nothing more is expected
_LONGEST_PIECE_S = 2.0  # of sound, in any codec
_NO_SOUND = 1e9  # the power of larger samples, summed, comes near the largest of floats
_MOST_CHANNELS = {".mp3": 2}
WRITABLE = (".wav", *_CODECS)


class UnusableAudio(ValueError):
    """A file cannot be read or written as sound; the message names it and says why."""


class SoundForm(Protocol):
    """What the sound of a file is like; see :class:`AudioReader`."""

    rate_hz: int
    channels: int
    layout: str
    codec: str
    sample_format: str


class AudioReader:
    """Decodes the first sound of a file.

    Attributes:
        rate_hz: Its sampling rate.
        channels: 1 to 8.
        layout: FFmpeg's name of what the channels are.
        codec: FFmpeg's name of its coding.
        sample_format: FFmpeg's name of its samples, ``s16`` or ``flt`` for instance.
        seconds: Its length as its header has it, 0 where that says nothing.

    Raises:
        UnusableAudio: The file is not there, is no sound, or breaks off.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            options = NO_OTHER_FILES | _reading(path)
            self._container: Any = av.open(input_address(path), options=options, **tags_of_any_encoding())
        except BROKEN as error:
            raise UnusableAudio(f"{path} cannot be read: {_reason(error)}") from error
        if not self._container.streams.audio:
            self._container.close()
            raise UnusableAudio(f"{path} holds no sound")
        stream: Any = self._container.streams.audio[0]
        context = stream.codec_context
        if context is None:
            self._container.close()
            raise UnusableAudio(f"{path} cannot be read: its codec is not known")
        self.rate_hz: int = context.sample_rate
        self.channels: int = len(context.layout.channels)
        named: str = context.layout.name  # "1 channels" where the file does not say which
        self.layout = _LAYOUTS[self.channels] if named.endswith("channels") and self.channels <= 8 else named
        self.codec: str = context.name
        self.sample_format: str = context.format.name.removesuffix("p") if context.format else "flt"
        self.seconds = float((stream.duration or 0) * stream.time_base) or (self._container.duration or 0) / 1e6
        if not self.rate_hz:
            self.close()
            raise UnusableAudio(f"{path} cannot be read: its header is damaged")
        if not 8000 <= self.rate_hz <= 192000 or not 1 <= self.channels <= 8:
            self.close()
            raise UnusableAudio(
                f"{path} must have 1 to 8 channels at 8000 to 192000 Hz, not {self.channels} at {self.rate_hz}"
            )

    def blocks(self) -> Iterator[Block]:
        """Everything that the file holds, in order.

        Silence stands for what is damaged where the file tells when the rest is due; .mp3 does not.

        Raises:
            UnusableAudio: More of it is damaged than not.
        """
        to_float = av.AudioResampler(format="flt", layout=self.layout, rate=self.rate_hz)
        decoded = damaged = known = 0
        due_s = 0.0

        def count() -> None:
            nonlocal damaged
            damaged += 1

        try:
            for frame in frames_in(self._container, "audio", count, most=_MOST_DAMAGED):
                at_s = due_s if frame.time is None else frame.time
                if damaged > known:
                    missing_s = min(at_s - due_s, _LONGEST_PIECE_S * (damaged - known))
                    yield np.zeros((max(0, round(missing_s * self.rate_hz)), self.channels), np.float32)
                decoded, known, due_s = decoded + 1, damaged, at_s + frame.samples / frame.sample_rate
                for made in to_float.resample(frame):
                    yield finite(frames.audio_to_ndarray(made).reshape(-1, self.channels))
        except BROKEN as error:
            raise UnusableAudio(f"{self.path} is damaged: {_reason(error)}") from error
        if damaged > decoded:
            raise UnusableAudio(f"{self.path} is damaged: hardly anything of it can be decoded")
        if damaged:
            name = printable(str(self.path))
            logger.warning("%s is damaged: %d pieces of it cannot be decoded, and are silence", name, damaged)

    def close(self) -> None:
        """Free the file."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AudioWriter:
    """Encodes a file like the one that `source` reads; it gets its name when it is complete.

    The suffix chooses the format, one of `WRITABLE`; a .wav has 16 or 24 bits or floats, as the source has. A format
    that lacks the source's rate gets the next higher one that it has, and one that does not know what the source's
    channels are, as many others: none is mixed with another.

    Attributes:
        rate_hz: The rate of the file.

    Raises:
        UnusableAudio: The suffix is none of these, the format does not carry so many channels, or the file cannot be
            written.
    """

    def __init__(self, path: Path, source: SoundForm) -> None:
        suffix = path.suffix.lower()
        if suffix not in WRITABLE:
            raise UnusableAudio(f"{path} must end in {', '.join(WRITABLE[:-1])} or {WRITABLE[-1]}")
        pcm = source.codec if source.codec in _COMPANDED else _PCM.get(source.sample_format, "pcm_f32le")
        codec = _CODECS.get(suffix) or pcm
        most = _MOST_CHANNELS.get(suffix, 8)
        if source.channels > most:
            raise UnusableAudio(
                f"{path} cannot be written: {suffix} has at most {most} channels, not {source.channels}"
            )
        self._source_rate_hz = source.rate_hz
        self.rate_hz = _rate_of(codec, source.rate_hz)
        self._layout = source.layout if _takes(codec, source.layout, self.rate_hz) else _LAYOUTS[source.channels]
        self._clips = codec != "pcm_f32le"
        if path.is_symlink():  # what it leads to is written, and it stays
            path = Path(os.path.realpath(path))
        self._unfinished = path.with_name(f".{secrets.token_hex(8)}.unfinished{suffix}")
        self.path = path
        self._position = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            options = {"rf64": "auto"} if suffix == ".wav" else {}  # so that a day fits
            self._container: Any = av.open(file_address(self._unfinished), "w", options=options)
            self._stream: Any = self._container.add_stream(codec, rate=self.rate_hz, layout=self._layout)
            self._stream.codec_context.open()  # only then it knows the length of its frames
        except BROKEN as error:
            self._discard()
            raise UnusableAudio(f"{path} cannot be written: {_reason(error)}") from error

    def write(self, block: Block) -> None:
        """Append `block`, shape ``(n, channels)``; what is out of range saturates, but in a file of floats."""
        packed = np.ascontiguousarray(np.clip(block, -1.0, 1.0) if self._clips else block).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, "flt", self._layout)
        frame.sample_rate, frame.pts = self._source_rate_hz, self._position
        self._position += len(block)
        self._mux(frame)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            self._discard()
            return
        try:
            self._mux(None)
            self._container.close()  # writes the header, and what the system still held back
            self._unfinished.replace(self.path)
        except UnusableAudio:
            self._discard()
            raise
        except BROKEN as failure:
            self._discard()
            raise UnusableAudio(f"{self.path} cannot be written: {_reason(failure)}") from failure

    def _mux(self, frame: Any) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except BROKEN as error:
            raise UnusableAudio(f"{self.path} cannot be written: {_reason(error)}") from error

    def _discard(self) -> None:
        container = getattr(self, "_container", None)
        if container is not None:
            with suppress(*BROKEN):  # nothing was written yet, or the disk is full
                container.close()
        with suppress(OSError):  # the folder is gone, or none
            self._unfinished.unlink()


def finite(block: Block) -> Block:
    """`block` with 0 for what is no number, or too large to be sound: it would silence the filters for good."""
    are_sound = np.abs(block) < _NO_SOUND  # which NaN is not
    return block if are_sound.all() else np.where(are_sound, block, np.float32(0.0))


def _rate_of(codec: str, rate_hz: int) -> int:
    rates = sorted(av.Codec(codec, "w").audio_rates or [rate_hz])
    return next((rate for rate in rates if rate >= rate_hz), rates[-1])


def _takes(codec: str, layout: str, rate_hz: int) -> bool:
    """Whether `codec` has channels of `layout`."""
    encoder: Any = av.CodecContext.create(codec, "w")
    encoder.layout, encoder.sample_rate = layout, rate_hz
    encoder.format = encoder.codec.audio_formats[0]
    try:
        encoder.open()
    except BROKEN:
        return False
    return True


def _reading(path: Path) -> dict[str, str]:
    return _WAVE if path.suffix.lower() == ".wav" else {}


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return str(text)[:1].lower() + str(text)[1:]
