"""Conversion against a float64 reference, through av frames, and with bad input."""

from __future__ import annotations

import gc
import itertools
from typing import Any

import av
import numpy as np
import pytest

from spike_engine import frames

FORMATS = ("yuv420p", "nv12", "yuyv422", "rgb24", "bgr24", "rgba", "bgra", "argb", "gray8")
COLOURS = list(itertools.product(("bt601", "bt709"), ("limited", "full")))


def picture(height: int = 48, width: int = 64, channels: int = 3, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def coefficients(colorspace: str, color_range: str) -> tuple[float, float, float, float, float, int]:
    """The weights of red, green and blue, the spans of luma and chroma, luma's offset (ITU-R BT.601-7, BT.709-6)."""
    red, blue = (0.299, 0.114) if colorspace == "bt601" else (0.2126, 0.0722)
    spans = (219.0, 224.0, 16) if color_range == "limited" else (255.0, 255.0, 0)
    return red, 1 - red - blue, blue, *spans


def reference_rgb(yuv: np.ndarray, colorspace: str, color_range: str) -> np.ndarray:
    red, green, blue, luma_span, chroma_span, offset = coefficients(colorspace, color_range)
    height, width = yuv.shape[0] * 2 // 3, yuv.shape[1]
    y = (yuv[:height].astype(float) - offset) * 255 / luma_span
    u, v = (
        ((plane.astype(float) - 128) * 255 / chroma_span).repeat(2, 0).repeat(2, 1)
        for plane in yuv[height:].reshape(2, height // 2, width // 2)
    )
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    return np.clip(np.stack([r, (y - red * r - blue * b) / green, b], axis=-1), 0, 255)


def reference_yuv(rgb: np.ndarray, colorspace: str, color_range: str) -> np.ndarray:
    red, green, blue, luma_span, chroma_span, offset = coefficients(colorspace, color_range)
    luma = rgb.astype(float) @ [red, green, blue]
    mean = rgb.astype(float).reshape(rgb.shape[0] // 2, 2, rgb.shape[1] // 2, 2, 3).mean(axis=(1, 3))
    mean_luma = mean @ [red, green, blue]
    u = 128 + (mean[..., 2] - mean_luma) / (2 * (1 - blue)) * chroma_span / 255
    v = 128 + (mean[..., 0] - mean_luma) / (2 * (1 - red)) * chroma_span / 255
    planes = [offset + luma * luma_span / 255, u, v]
    return np.clip(np.concatenate([plane.ravel() for plane in planes]), 0, 255).reshape(-1, rgb.shape[1])


@pytest.mark.parametrize(("colorspace", "color_range"), COLOURS)
def test_pictures_become_rgb_as_the_standard_says(colorspace: Any, color_range: Any) -> None:
    yuv = np.random.default_rng(2).integers(0, 256, (720, 640), np.uint8)
    rgb = frames.convert(yuv, "yuv420p", "rgb24", colorspace=colorspace, color_range=color_range)
    expected = reference_rgb(yuv, colorspace, color_range)

    assert np.abs(rgb - expected).max() <= 0.6
    assert (rgb == np.round(expected)).mean() >= 0.99


@pytest.mark.parametrize(("colorspace", "color_range"), COLOURS)
def test_rgb_becomes_yuv_as_the_standard_says(colorspace: Any, color_range: Any) -> None:
    rgb = picture(480, 640)
    yuv = frames.convert(rgb, "rgb24", "yuv420p", colorspace=colorspace, color_range=color_range)
    expected = reference_yuv(rgb, colorspace, color_range)

    assert np.abs(yuv - expected).max() <= 0.6
    assert (yuv == np.round(expected)).mean() >= 0.99


@pytest.mark.parametrize("via", ["yuv420p", "nv12", "yuyv422"])
@pytest.mark.parametrize(("colorspace", "color_range"), COLOURS)
def test_rgb_comes_back_where_pixels_that_share_chroma_are_alike(colorspace: Any, color_range: Any, via: str) -> None:
    rgb = picture(120, 160).repeat(2, 0).repeat(2, 1)
    colours = {"colorspace": colorspace, "color_range": color_range}
    back = frames.convert(frames.convert(rgb, "rgb24", via, **colours), via, "rgb24", **colours)

    assert np.abs(back.astype(int) - rgb).max() <= (1 if color_range == "full" else 2)


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("via", FORMATS)
def test_a_flat_colour_survives_every_way(via: str, to: str) -> None:
    rgb = np.empty((16, 24, 3), np.uint8)
    rgb[:] = (120, 120, 120) if "gray8" in (via, to) else (180, 90, 40)
    there = frames.convert(frames.convert(rgb, "rgb24", via), via, to)
    back = frames.convert(there, to, "rgb24")

    assert np.abs(back.astype(int) - rgb).max() <= 3


@pytest.mark.parametrize(
    ("packing", "places"), [("bgr24", (2, 1, 0)), ("rgba", (0, 1, 2)), ("bgra", (2, 1, 0)), ("argb", (1, 2, 3))]
)
def test_packed_formats_are_exact_and_opaque(packing: str, places: tuple[int, ...]) -> None:
    rgb = picture(7, 13)
    packed = frames.convert(rgb, "rgb24", packing)

    np.testing.assert_array_equal(packed[..., places], rgb)
    if packed.shape[2] == 4:
        alpha = ({0, 1, 2, 3} - set(places)).pop()
        assert (packed[..., alpha] == 255).all()
    np.testing.assert_array_equal(frames.convert(packed, packing, "rgb24"), rgb)


def test_rows_may_lie_anywhere() -> None:
    large = picture(60, 80)
    part = large[10:50:2, 8:72]
    upside_down = large[::-1]
    mirrored = large[:, ::-1]

    np.testing.assert_array_equal(frames.convert(part, "rgb24", "rgba"), frames.convert(part.copy(), "rgb24", "rgba"))
    np.testing.assert_array_equal(
        frames.convert(upside_down, "rgb24", "yuv420p"), frames.convert(upside_down.copy(), "rgb24", "yuv420p")
    )
    np.testing.assert_array_equal(
        frames.convert(mirrored, "rgb24", "gray8"), frames.convert(mirrored.copy(), "rgb24", "gray8")
    )


def test_out_is_written_in_place_and_only_there() -> None:
    large = np.full((20, 30, 3), 7, np.uint8)
    out = large[2:18, 4:28]
    returned = frames.convert(picture(16, 24), "rgb24", "bgr24", out=out)

    assert np.shares_memory(returned, large)
    assert (large[:2] == 7).all()
    assert (large[:, :4] == 7).all()


def test_planes_of_their_own_are_read_in_place() -> None:
    yuv = frames.convert(picture(), "rgb24", "yuv420p")
    half = yuv[48:].reshape(2, 24, 32)

    np.testing.assert_array_equal(
        frames.convert([yuv[:48], half[0], half[1]], "yuv420p", "rgb24"), frames.convert(yuv, "yuv420p", "rgb24")
    )


@pytest.mark.parametrize("size", [(32, 24), (100, 90), (64, 20)])
def test_sizes_change_without_moving_or_darkening(size: tuple[int, int]) -> None:
    ramp = np.broadcast_to(np.linspace(20, 220, 64)[None, :, None], (48, 64, 3)).astype(np.uint8)
    out = frames.convert(ramp, "rgb24", "rgb24", width=size[0], height=size[1])

    assert out.shape == (size[1], size[0], 3)
    assert out.mean() == pytest.approx(ramp.mean(), abs=1.0)
    assert (np.diff(out[0, :, 0].astype(int)) >= 0).all()


def test_shrinking_averages_the_area() -> None:
    board = np.indices((40, 40)).sum(axis=0).astype(np.uint8) % 2 * 254
    half = frames.convert(board, "gray8", "gray8", width=20, height=20)

    assert (half == 127).all()


def test_size_and_format_change_in_one_call() -> None:
    for source in FORMATS:
        a = frames.convert(picture(), "rgb24", source)
        assert frames.convert(a, source, "rgba", width=30, height=20).shape == (20, 30, 4)


def test_video_frames_there_and_back() -> None:
    smooth = np.broadcast_to(np.linspace(40, 200, 64)[None, :, None], (48, 64, 3)).astype(np.uint8)
    frame = frames.from_ndarray(smooth, "rgb24", to="yuv420p")

    assert (frame.width, frame.height, frame.format.name) == (64, 48, "yuv420p")
    np.testing.assert_allclose(frames.to_ndarray(frame).astype(int), smooth, atol=3)
    assert frames.to_ndarray(frame, "rgba", width=32, height=24).shape == (24, 32, 4)


def test_a_frame_says_which_colours_it_has() -> None:
    frame = frames.from_ndarray(picture(), to="yuv420p")
    plain = frames.to_ndarray(frame)
    frame.colorspace = 1  # BT.709
    frame.color_range = 2  # full

    assert np.abs(frames.to_ndarray(frame).astype(int) - plain).max() > 5


def test_frames_of_odd_sizes() -> None:
    frame = frames.from_ndarray(picture(47, 63), to="yuv420p")

    assert (frame.width, frame.height) == (63, 47)
    assert frames.to_ndarray(frame, "bgr24").shape == (47, 63, 3)


def test_a_frame_is_filled_in_place() -> None:
    frame = av.VideoFrame(64, 48, "nv12")
    rgb = picture()

    assert frames.from_ndarray(rgb, to="nv12", out=frame) is frame
    np.testing.assert_array_equal(frames.to_ndarray(frame), frames.to_ndarray(frames.from_ndarray(rgb, to="nv12")))


def test_what_was_made_of_a_frame_outlives_it() -> None:
    frame = frames.from_ndarray(picture())
    array = frames.to_ndarray(frame)
    before = array.copy()
    del frame
    gc.collect()

    np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("layout", ["mono", "stereo"])
@pytest.mark.parametrize("kind", ["s16", "s16p", "flt", "fltp"])
def test_samples_of_every_layout(kind: str, layout: str) -> None:
    channels = 1 if layout == "mono" else 2
    samples = np.random.default_rng(3).uniform(-0.9, 0.9, (160, channels)).astype(np.float32)
    stored = np.round(samples * 32768).astype(np.int16) if kind.startswith("s16") else samples
    interleaved = stored.T if kind.endswith("p") else stored.reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(interleaved), kind, layout)

    as_float = frames.audio_to_ndarray(frame)
    assert as_float.shape == ((160,) if channels == 1 else (160, 2))
    np.testing.assert_allclose(as_float.reshape(160, -1), samples, atol=1 / 32768)
    mono = frames.audio_to_ndarray(frame, channels=1, dtype="int16")
    np.testing.assert_allclose(mono / 32768, samples.mean(axis=1), atol=1.5 / 32768)


@pytest.mark.parametrize("kind", ["s16", "flt"])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_there_and_back(kind: Any, channels: int) -> None:
    samples = np.random.default_rng(4).uniform(-1, 1, (960, channels)).astype(np.float32)
    a = samples[:, 0].copy() if channels == 1 else samples
    frame = frames.audio_from_ndarray(a, format=kind, sample_rate_hz=48000)

    assert (frame.sample_rate, frame.samples, len(frame.layout.channels)) == (48000, 960, channels)
    np.testing.assert_allclose(frames.audio_to_ndarray(frame), a, atol=1 / 32768)


def test_what_is_too_loud_saturates() -> None:
    frame = frames.audio_from_ndarray(np.array([1.5, -1.5, np.nan], np.float32))

    np.testing.assert_array_equal(frames.audio_to_ndarray(frame, dtype="int16"), [32767, -32768, 0])


def test_samples_are_written_in_place() -> None:
    frame = av.AudioFrame("s16", "mono", 4)
    out = np.empty(4, np.float32)

    assert frames.audio_from_ndarray(np.full(4, 0.5, np.float32), out=frame) is frame
    assert frames.audio_to_ndarray(frame, out=out) is out
    np.testing.assert_array_equal(out, 0.5)


def no_picture(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([[0]], "rgb24", "rgba"), TypeError, "must be a NumPy array of uint8, not list"),
        ((no_picture(4, 4, 3, dtype=np.float32), "rgb24", "rgba"), TypeError, "not an array of float32"),
        ((no_picture(4, 4, 4), "rgb24", "rgba"), ValueError, "does not have the shape"),
        ((no_picture(0, 4, 3), "rgb24", "rgba"), ValueError, "at least one row"),
        ((no_picture(4), "gray8", "rgba"), ValueError, "at least one row"),
        ((no_picture(4, 4, 3), "rgb48", "rgba"), ValueError, "the format must be one of"),
        ((no_picture(4, 4, 3), "rgb24", "jpeg"), ValueError, "the format must be one of"),
        ((no_picture(5, 4, 3), "rgb24", "yuv420p"), ValueError, "even width and height"),
        (([no_picture(4, 4)], "yuv420p", "rgb24"), ValueError, "has 3 planes, not 1"),
        (([no_picture(4, 4), no_picture(1, 2), no_picture(2, 2)], "yuv420p", "rgb24"), ValueError, "plane 1"),
        (([], "rgb24", "rgba"), ValueError, "has 1 planes, not 0"),
        (([no_picture(4)], "gray8", "rgba"), ValueError, "planes must be"),
    ],
)
def test_what_is_no_picture_is_refused(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        frames.convert(*arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colorspace": "bt2020"}, "colorspace must be"),
        ({"color_range": "wide"}, "color_range must be"),
        ({"width": -3}, "width must be from 1 to"),
        ({"out": np.zeros((4, 4, 3), np.uint8)}, "out does not have the shape"),
        ({"out": np.broadcast_to(np.uint8(0), (4, 4, 4))}, "writeable"),
        ({"out": np.zeros((4, 8, 4), np.uint8)[:, ::2]}, "side by side"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frames.convert(picture(4, 4), "rgb24", "rgba", **options)


def test_frames_that_do_not_fit_are_refused() -> None:
    with pytest.raises(TypeError, match=r"must be an av.VideoFrame"):
        frames.to_ndarray(picture())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="out must be a picture of 64x48"):
        frames.from_ndarray(picture(), out=av.VideoFrame(32, 24, "yuv420p"))
    with pytest.raises(TypeError, match=r"must be an av.AudioFrame in s16"):
        frames.audio_to_ndarray(av.AudioFrame("u8", "mono", 16))
    with pytest.raises(TypeError, match="float32, int16 or int32"):
        frames.audio_from_ndarray(np.zeros(4))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shape"):
        frames.audio_from_ndarray(np.zeros((4, 9), np.float32))
    with pytest.raises(ValueError, match="format must be one of"):
        frames.audio_from_ndarray(np.zeros(4, np.float32), format="u8")
    with pytest.raises(ValueError, match="out must be a s16 frame"):
        frames.audio_from_ndarray(np.zeros(4, np.float32), out=av.AudioFrame("s16", "mono", 5))
    with pytest.raises(ValueError, match="writeable array of float32"):
        frames.audio_to_ndarray(frames.audio_from_ndarray(np.zeros(4, np.float32)), out=np.zeros(3, np.float32))


@pytest.mark.parametrize("width", [2, 62, 64, 66])
@pytest.mark.parametrize("to", ["rgb24", "bgra", "gray8", "yuv420p", "nv12"])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_pictures_are_turned_and_mirrored(rotate: Any, mirror: bool, to: str, width: int) -> None:
    rgb = picture(48, width)
    turned = np.rot90(rgb, -rotate // 90)
    expected = frames.convert((turned[:, ::-1] if mirror else turned).copy(), "rgb24", to)

    np.testing.assert_array_equal(frames.convert(rgb, "rgb24", to, rotate=rotate, mirror=mirror), expected)


@pytest.mark.parametrize("source", FORMATS)
def test_a_part_is_taken(source: str) -> None:
    whole = frames.convert(picture(), "rgb24", source)
    part = frames.convert(whole, source, "rgb24", crop=(10, 6, 32, 20))

    np.testing.assert_array_equal(part, frames.convert(whole, source, "rgb24")[6:26, 10:42])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"crop": (0, 0, 65, 1)}, ValueError, "within the picture of 64x48"),
        ({"crop": (1, 0, 4, 4)}, ValueError, "even column"),
        ({"crop": (0, 0, 0, 4)}, ValueError, "width of crop must be from 1"),
        ({"crop": [0, 0, 4, 4]}, TypeError, "must be a tuple"),
        ({"rotate": 45}, ValueError, "rotate must be"),
        ({"scaling": "lanczos"}, ValueError, "scaling must be"),
    ],
)
def test_parts_and_turns_that_do_not_exist_are_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        frames.convert(frames.convert(picture(), "rgb24", "nv12"), "nv12", "rgb24", **options)


@pytest.mark.parametrize("scaling", ["area", "bilinear", "bicubic"])
def test_scaling_keeps_what_is_flat_and_follows_what_is_smooth(scaling: Any) -> None:
    flat = np.full((40, 60), 200, np.uint8)
    wave = (128 + 100 * np.sin(np.linspace(0, 6, 240)))[None].repeat(120, axis=0).round().astype(np.uint8)

    for width, height in ((30, 20), (45, 31), (119, 83), (7, 5)):
        assert (frames.convert(flat, "gray8", "gray8", width=width, height=height, scaling=scaling) == 200).all()
    small = frames.convert(wave, "gray8", "gray8", width=160, height=80, scaling=scaling)
    there = (np.arange(160) + 0.5) * 1.5 - 0.5
    assert np.abs(small[40, 2:-2] - np.interp(there, np.arange(240), wave[0])[2:-2]).max() < 1.5


def test_area_scaling_is_nearest_to_the_exact_mean() -> None:
    large = picture(90, 120, 1)[..., 0]
    exact = large.astype(float).repeat(2, 0).repeat(2, 1).reshape(60, 3, 80, 3).mean(axis=(1, 3))
    small = frames.convert(large, "gray8", "gray8", width=80, height=60)

    assert np.abs(small - exact).max() <= 0.55
    assert (small == np.round(exact)).mean() >= 0.98


def test_planes_of_a_frame_are_views_that_keep_it() -> None:
    frame = av.VideoFrame(64, 48, "yuv420p")
    luma, u, v = frames.planes(frame)
    luma[:48, :64], u[:24, :32], v[:24, :32] = 120, 128, 128
    assert (frames.to_ndarray(frame, "gray8") == 120).all()
    del frame
    gc.collect()
    others = [av.VideoFrame(64, 48, "yuv420p") for _ in range(20)]  # would take the memory if it were free
    assert others
    assert (luma[:48, :64] == 120).all()


def test_frames_are_reformatted_with_their_colours_and_time() -> None:
    frame = frames.from_ndarray(picture(), to="nv12", colorspace="bt709", color_range="full")
    frame.pts = 7
    other = frames.reformat(frame, "yuv420p", rotate=90)

    assert (other.width, other.height, other.format.name, other.pts) == (48, 64, "yuv420p", 7)
    np.testing.assert_array_equal(frames.to_ndarray(other), np.rot90(frames.to_ndarray(frame), -1))


class Tensor:
    """Memory that is known by DLPack alone."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


class Interface:
    """Memory that is known by the array interface alone."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.__array_interface__ = array.__array_interface__


def test_tensors_and_buffers_are_read_in_place() -> None:
    rgb = picture()
    expected = frames.convert(rgb, "rgb24", "nv12")

    np.testing.assert_array_equal(frames.convert(Tensor(rgb), "rgb24", "nv12"), expected)
    np.testing.assert_array_equal(frames.convert(memoryview(rgb), "rgb24", "nv12"), expected)
    np.testing.assert_array_equal(frames.convert(Interface(rgb), "rgb24", "nv12"), expected)
    frame = frames.from_ndarray(Tensor(rgb), to="nv12", colorspace="bt709")
    np.testing.assert_array_equal(frames.to_ndarray(frame), frames.to_ndarray(frames.reformat(frame, "nv12")))


def test_tensors_and_buffers_are_written_in_place() -> None:
    rgb = picture()
    expected = frames.convert(rgb, "rgb24", "bgra")

    tensors = [Tensor] if np.lib.NumpyVersion(np.__version__) >= "2.3.0" else []  # older ones make them read-only
    for wrap in (Interface, memoryview, *tensors):
        out = np.zeros_like(expected)
        frames.convert(rgb, "rgb24", "bgra", out=wrap(out))
        np.testing.assert_array_equal(out, expected)


def test_samples_of_more_channels_are_mixed_by_the_documented_gains() -> None:
    surround = np.eye(6, dtype=np.float32)
    stereo = frames.convert_samples(surround, channels=2)

    gains = np.array([[1, 0], [0, 1], [0.7071, 0.7071], [0, 0], [0.7071, 0], [0, 0.7071]]) / 2.4142
    np.testing.assert_allclose(stereo, gains, atol=1e-4)
    np.testing.assert_array_equal(frames.convert_samples(np.ones(4, np.float32), channels=8), 1)
    assert np.abs(frames.convert_samples(np.ones((4, 8), np.float32), channels=1)).max() <= 1


@pytest.mark.parametrize("dtype", ["int16", "int32"])
def test_planar_and_interleaved_integers_there_and_back(dtype: Any) -> None:
    a = np.random.default_rng(5).integers(-32768, 32768, (3, 500)).astype(dtype)
    there = frames.convert_samples(a, "float32", planar=True, planar_out=False)

    assert there.shape == (500, 3)
    np.testing.assert_array_equal(frames.convert_samples(there, dtype, planar_out=True), a)


def test_dither_is_triangular_and_repeats_with_its_seed() -> None:
    level = np.full(20000, 0.3 / 32768, np.float32)
    dithered = frames.convert_samples(level, "int16", dither=1)

    assert dithered.mean() == pytest.approx(0.3, abs=0.03)
    assert dithered.var() == pytest.approx(
        0.25, abs=0.03
    )  # of every level: the step's twelfth and the triangle's sixth
    np.testing.assert_array_equal(frames.convert_samples(level, "int16", dither=1), dithered)
    assert (frames.convert_samples(level, "int16", dither=2) != dithered).any()


@pytest.mark.parametrize("rate_hz", [0, -1, float("nan"), float("inf"), 10**30, None, "48000"])
def test_a_rate_that_is_none_is_refused_in_words(rate_hz: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="sample_rate_hz"):
        frames.audio_from_ndarray(np.zeros(480, np.int16), sample_rate_hz=rate_hz)


@pytest.mark.parametrize("dtype", [None, 7, np.int16, "int8"])
def test_a_type_of_samples_that_is_none_is_refused_in_words(dtype: Any) -> None:
    frame = frames.audio_from_ndarray(np.zeros(480, np.int16))
    with pytest.raises(ValueError, match="dtype must be 'float32', 'int16' or 'int32'"):
        frames.convert_samples(np.zeros(480, np.int16), dtype)
    with pytest.raises(ValueError, match="dtype must be"):
        frames.audio_to_ndarray(frame, dtype=dtype)
