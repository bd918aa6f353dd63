"""Plain .wav files, of 16 bits and whole, without FFmpeg: it takes as long to open one as to clean its sound."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spike_engine.frames import convert_samples

_LAYOUTS = {1: "mono", 2: "stereo"}
_PCM = 1


@dataclass(slots=True)
class PlainWave:
    """What a file holds; a :class:`~spike_engine.clean.audio_file.SoundForm` and its samples.

    Attributes:
        samples: float32 in [-1, 1), shape ``(n, channels)``, the same that FFmpeg makes of them.
    """

    rate_hz: int
    channels: int
    layout: str
    samples: NDArray[np.float32]
    codec: str = "pcm_s16le"
    sample_format: str = "s16"


def plain_wave(content: bytes) -> PlainWave | None:
    """The sound of a RIFF file of 16-bit PCM, mono or stereo; None of every other, which FFmpeg may know."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return None
    place, form = 12, None
    while place + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        place += 8
        if name == b"fmt " and size >= 16 and place + size <= len(content):
            form = struct.unpack_from("<HHIIHH", content, place)
        if name == b"data":
            return _of(content, place, size, form)
        place += size + size % 2
    return None


def _of(content: bytes, place: int, size: int, form: tuple[int, ...] | None) -> PlainWave | None:
    """The sound of the `size` bytes at `place`, if they are what `form` says, whole, and all that there is."""
    if form is None or not size or place + size > len(content) or content.find(b"data", place + size) >= 0:
        return None
    kind, channels, rate_hz, _, block, bits = form
    if kind != _PCM or bits != 16 or channels not in _LAYOUTS or block != 2 * channels or size % block:
        return None
    if not 8000 <= rate_hz <= 192000:
        return None
    samples = np.frombuffer(content, "<i2", size // 2, place).reshape(-1, channels)
    return PlainWave(rate_hz, channels, _LAYOUTS[channels], convert_samples(samples, "float32").reshape(-1, channels))
