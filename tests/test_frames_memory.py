"""Whose memory conversion reads and writes, what it refuses, and whether others run meanwhile."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from spike_engine import frames


def picture(height: int = 48, width: int = 64, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize(
    "out",
    [
        lambda a: a,
        lambda a: a[::-1],
        lambda a: a.reshape(-1)[3 : 3 + 24 * 32 * 3].reshape(24, 32, 3),
        lambda a: a[8:32, 16:48],
    ],
    ids=["itself", "upside down", "shifted", "a part"],
)
def test_pictures_that_share_memory_are_refused_untouched(out: Callable[[np.ndarray], np.ndarray]) -> None:
    rgb = picture()
    before, target = rgb.copy(), out(rgb)

    with pytest.raises(ValueError, match="share memory"):
        frames.convert(rgb, "rgb24", "bgr24", width=target.shape[1], height=target.shape[0], out=target)
    np.testing.assert_array_equal(rgb, before)


def test_halves_of_one_picture_share_nothing() -> None:
    rgb = picture()
    left = rgb[:, :32].copy()
    frames.convert(rgb[:, :32], "rgb24", "bgr24", out=rgb[:, 32:])

    np.testing.assert_array_equal(rgb[:, :32], left)
    np.testing.assert_array_equal(rgb[:, 32:], left[..., ::-1])


def test_a_frame_and_its_own_planes_are_refused() -> None:
    frame = frames.from_ndarray(picture(), to="yuv420p")

    with pytest.raises(ValueError, match="share memory"):
        frames.to_ndarray(frame, "gray8", out=frames.planes(frame)[0][:48, :64])
    with pytest.raises(ValueError, match="share memory"):
        frames.reformat(frame, out=frame)


def test_samples_that_share_memory_are_refused_untouched() -> None:
    samples = np.arange(960, dtype=np.float32).reshape(480, 2) / 960
    before = samples.copy()

    with pytest.raises(ValueError, match="share memory"):
        frames.convert_samples(samples, out=samples)
    with pytest.raises(ValueError, match="share memory"):
        frames.convert_samples(samples[:400], out=samples[80:])
    np.testing.assert_array_equal(samples, before)
    frames.convert_samples(samples[:, 0], out=samples[:, 1])  # they take turns
    np.testing.assert_array_equal(samples[:, 1], before[:, 0])


def test_what_holds_no_picture_any_more_is_refused() -> None:
    view = memoryview(picture())
    view.release()
    with pytest.raises(ValueError, match="released"):
        frames.convert(view, "rgb24", "rgba")
    with pytest.raises(ValueError, match="holds no picture"):
        frames.to_ndarray(av.VideoFrame())
    with pytest.raises(ValueError, match="holds no picture"):
        frames.from_ndarray(picture(), out=av.VideoFrame())


def upside_down(frame: av.VideoFrame) -> av.VideoFrame:
    """What FFmpeg's filter gives: the same memory, with rows that go backwards."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    flip, sink = graph.add("vflip"), graph.add("buffersink")
    source.link_to(flip)
    flip.link_to(sink)
    graph.configure()
    source.push(frame)
    return graph.pull()


@pytest.mark.parametrize("to", ["yuv420p", "nv12", "rgb24"])
def test_frames_whose_rows_go_backwards(to: str) -> None:
    frame = frames.from_ndarray(picture(), to=to)
    frame.pts, frame.time_base = 0, Fraction(1, 30)
    flipped = upside_down(frame)
    assert flipped.planes[0].line_size < 0

    np.testing.assert_array_equal(frames.to_ndarray(flipped), frames.to_ndarray(frame)[::-1])


exports_backwards = int(av.__version__.split(".")[0]) >= 17


def test_planes_whose_rows_go_backwards() -> None:
    frame = frames.from_ndarray(picture())
    frame.pts, frame.time_base = 0, Fraction(1, 30)
    flipped = upside_down(frame)
    if not exports_backwards:
        with pytest.raises(ValueError, match="from version 17 on"):
            frames.planes(flipped)
        with pytest.raises(ValueError, match="does not export"):
            frames.to_ndarray(Stranger(flipped))
        return

    for turned, upright in zip(frames.planes(flipped), frames.planes(frame), strict=True):
        np.testing.assert_array_equal(turned, upright[: len(turned)][::-1])


class Stranger:
    """A frame of a kind that is not PyAV's, with the same attributes."""

    def __init__(self, frame: av.VideoFrame) -> None:
        self._frame = frame

    def __getattr__(self, name: str) -> Any:
        return getattr(self._frame, name)


@pytest.mark.parametrize("to", ["yuv420p", "nv12", "yuyv422", "rgb24", "bgr24", "rgba", "bgra", "argb", "gray8"])
def test_frames_read_by_their_attributes_are_those_read_where_they_lie(to: str) -> None:
    frame = frames.from_ndarray(picture(46, 62), to=to, colorspace="bt709", color_range="full")
    frame.pts, frame.time_base = 0, Fraction(1, 30)

    for each in (frame, upside_down(frame)) if exports_backwards else (frame,):
        np.testing.assert_array_equal(frames.to_ndarray(Stranger(each)), frames.to_ndarray(each))


def test_an_array_made_of_a_frame_is_its_own() -> None:
    frame = frames.from_ndarray(picture())
    array = frames.to_ndarray(frame)
    before = array.copy()
    frames.planes(frame)[0][:] = 0
    del frame
    gc.collect()

    np.testing.assert_array_equal(array, before)


@pytest.fixture
def no_switches() -> Iterator[None]:
    """Python threads change places only where the running one lets go of the interpreter."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(interval)


class Waiting:
    """A thread that notes that it ran, once it is let go and gets the interpreter."""

    def __init__(self) -> None:
        self.ran = False
        self._gate = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self._gate.wait()
        self.ran = True

    def let_go(self) -> None:
        self._gate.set()

    def join(self) -> None:
        self._thread.join()


needs_gil = pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="there is no GIL")


@needs_gil
@pytest.mark.usefixtures("no_switches")
def test_others_run_while_a_picture_is_converted() -> None:
    rgb, out = picture(720, 1280), np.empty((1080, 1280), np.uint8)
    other = Waiting()
    other.let_go()
    for _ in range(20_000):
        frames.convert(rgb, "rgb24", "yuv420p", out=out)
        if other.ran:
            break

    assert other.ran
    other.join()


@needs_gil
@pytest.mark.usefixtures("no_switches")
@pytest.mark.parametrize("count", [480, 960])
def test_a_frame_of_sound_keeps_the_interpreter(count: int) -> None:
    frame = frames.audio_from_ndarray(np.zeros((count, 2), np.int16))
    out = np.empty((count, 2), np.float32)
    other = Waiting()
    other.let_go()
    for _ in range(3000):
        frames.audio_to_ndarray(frame, out=out)
        frames.audio_from_ndarray(out, out=frame)

    assert not other.ran
    other.join()


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.int32])
def test_samples_are_the_same_however_they_lie(dtype: type) -> None:
    samples = np.arange(-50, 50).astype(dtype)
    records = np.zeros(100, [("tag", "u1"), ("value", dtype)])
    records["value"] = samples
    shifted = np.zeros(samples.nbytes + 1, np.uint8)[1:].view(dtype)
    shifted[:] = samples
    expected = frames.convert_samples(samples, "float32")

    for lying in (
        records["value"],
        shifted,
        samples.astype(samples.dtype.newbyteorder(">")),
        samples[::-1].copy()[::-1],
    ):
        np.testing.assert_array_equal(frames.convert_samples(lying, "float32"), expected)


def test_samples_are_not_written_where_they_would_not_lie_whole() -> None:
    records = np.zeros(100, [("tag", "u1"), ("value", np.float32)])
    for out in (records["value"], np.zeros(100, ">f4")):
        with pytest.raises(ValueError, match="out must be aligned, and in this machine's byte order"):
            frames.convert_samples(np.ones(100, np.int16), "float32", out=out)
    assert not records["value"].any()
