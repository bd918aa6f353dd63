"""Which source a program means by what it passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from spike_engine.devices import AudioSink, AudioSource, Loudspeaker, Microphone, VideoSource
from spike_engine.errors import InvalidOption
from spike_engine.sources.audio import AudioArray, AudioFile, AudioStream, AudioTrack
from spike_engine.sources.video import VideoFile, VideoStream, VideoTrack, still_or_film


def audio_source_of(value: Any) -> AudioSource:
    """A microphone by its id; a file by its :class:`~pathlib.Path`; an array or async iterator at 48 kHz; a track.

    Raises:
        InvalidOption: It is nothing of these, and no :class:`~spike_engine.AudioSource`.
    """
    if isinstance(value, str):
        return Microphone(value)
    return _source_of(value, AudioFile, AudioArray, AudioTrack, AudioStream)  # type: ignore[no-any-return]


def video_source_of(value: Any) -> VideoSource:
    """A file by its :class:`~pathlib.Path`, an array (one picture, or ``(n, height, width, 3)``), an iterator, a track.

    Raises:
        InvalidOption: It is nothing of these, and no :class:`~spike_engine.VideoSource`.
    """
    return _source_of(value, VideoFile, still_or_film, VideoTrack, VideoStream)  # type: ignore[no-any-return]


def sink_of(value: Any) -> AudioSink:
    """A loudspeaker by its id, or `value` itself."""
    return Loudspeaker(value) if isinstance(value, str) else value


def named(option: str, value: object) -> str:
    """What to call the `value` of an option in messages: by its path, its function or its class."""
    name = str(value) if isinstance(value, Path) else getattr(value, "__qualname__", type(value).__qualname__)
    return f"{option} ({name})"


def _source_of(
    value: Any,
    of_file: Callable[[Any], Any],
    of_array: Callable[[Any], Any],
    of_track: Callable[[Any], Any],
    of_iterator: Callable[[Any], Any],
) -> Any:
    if isinstance(value, Path):
        return of_file(value)
    if isinstance(value, np.ndarray):
        return of_array(value)
    for name, build in (("read", _itself), ("recv", of_track), ("__anext__", of_iterator)):
        if callable(getattr(value, name, None)):
            return build(value)
    raise InvalidOption(f"a source is a device id, a Path, an array, an async iterator or a track, not {value!r}")


def _itself(value: Any) -> Any:
    return value
