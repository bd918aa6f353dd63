"""Whole numbers that the native module or a public call takes: what will not do is refused in words, however large."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pytest

from spike_engine import InvalidOption, dsp, frames
from spike_engine.integrations import pyaudio, sounddevice
from spike_engine.sources import VideoStream

PICTURE = np.zeros((4, 4, 3), np.uint8)
SOUND = np.zeros(480, np.float32)
HUGE = (10**30, -(10**30), 2**63, 2**64, 10**5000)


def frame() -> av.AudioFrame:
    return frames.audio_from_ndarray(SOUND)


def converted(**options: Any) -> Any:
    return frames.convert(PICTURE, "rgb24", "rgba", **options)


TAKEN: dict[str, tuple[Callable[[Any], Any], tuple[Any, ...]]] = {
    "width": (lambda value: converted(width=value), (0, -1, 2**31)),
    "height": (lambda value: converted(height=value), (0, -1, 2**31)),
    "width of a frame": (lambda value: frames.from_ndarray(PICTURE, width=value), (0, -1, 2**31)),
    "x of crop": (lambda value: converted(crop=(value, 0, 1, 1)), (-1,)),
    "height of crop": (lambda value: converted(crop=(0, 0, 1, value)), (0, -1)),
    "rotate": (lambda value: converted(rotate=value), (45, -90, 360)),
    "channels": (lambda value: frames.convert_samples(SOUND, channels=value), (0, 9, -1)),
    "channels of a frame": (lambda value: frames.audio_to_ndarray(frame(), channels=value), (0, 9, -1)),
    "channels to a frame": (lambda value: frames.audio_from_ndarray(SOUND, channels=value), (0, 9, -1)),
    "sample_rate_hz": (lambda value: frames.audio_from_ndarray(SOUND, sample_rate_hz=value), (0, -1, 2**31)),
    "dither": (lambda value: frames.convert_samples(SOUND, "int16", dither=value), (-1, 2**32)),
    "dither to a frame": (lambda value: frames.audio_from_ndarray(SOUND, dither=value), (-1, 2**32)),
    "capacity_samples": (dsp.Ring, (0, -1, 2**31)),
    "streams": (dsp.NoiseSuppressorBank, (0, -1)),
    "target_dbfs": (lambda value: dsp.GainControl(16000, target_dbfs=value), (1000,)),
    "rate": (lambda value: pyaudio.PyAudio().open(value, 1, pyaudio.paInt16, output=True), (-1, 7999, 192_001)),
    "rate of a stream": (lambda value: sounddevice.InputStream(samplerate=value), (-1, 7999, 192_001, float("inf"))),
    "blocksize": (lambda value: sounddevice.InputStream(blocksize=value), (float("nan"), float("inf"))),
    "frames": (lambda value: sounddevice.rec(value, 16000), (1.5,)),
}


@pytest.mark.parametrize("name", TAKEN)
def test_one_that_is_too_large_or_out_of_range_is_refused_in_words(name: str) -> None:
    call, out_of_range = TAKEN[name]
    for value in (*out_of_range, *HUGE):
        with pytest.raises(ValueError, match=name.split(maxsplit=1)[0]) as error:
            call(value)
        assert "incompatible" not in str(error.value)
        assert len(str(error.value)) < 200


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("value", ["3", [1], object(), 1j])
def test_what_is_no_number_is_refused_in_words(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=name.split(maxsplit=1)[0]) as error:
        TAKEN[name][0](value)
    assert "incompatible" not in str(error.value)


def test_any_integer_type_will_do() -> None:
    for kind in (int, np.int16, np.uint32, np.int64):
        assert converted(width=kind(2), height=kind(6), rotate=kind(90)).shape == (6, 2, 4)
        assert frames.convert_samples(SOUND, "int16", channels=kind(2), dither=kind(1)).shape == (480, 2)
        assert dsp.Ring(kind(5)).capacity == 5


@pytest.mark.parametrize("fps", [0, -1, float("nan"), "25"])
def test_pictures_come_at_a_pace_that_there_is(fps: Any) -> None:
    with pytest.raises(InvalidOption, match="fps must be a number above 0"):
        VideoStream(None, fps=fps)  # type: ignore[arg-type]


def test_what_is_no_frame_is_not_written() -> None:
    with pytest.raises(TypeError, match=r"out must be an av.AudioFrame, not int"):
        frames.audio_from_ndarray(SOUND, out=5)  # type: ignore[arg-type]
