"""Pictures and samples between devices, codecs and NumPy.

Pictures are uint8 arrays: ``(height, width, 3)`` for rgb24 and bgr24, ``(height, width, 4)`` for rgba, bgra and argb,
``(height, width)`` for gray8, ``(height, width, 2)`` for yuyv422, and ``(height * 3 / 2, width)`` for yuv420p and
nv12, whose width and height are then even. Rows may lie anywhere: slices and pictures upside down are read in place.
The planes of ``av`` frames are read and written in place as well.

Sizes change in the same call: pictures shrink by area averaging and grow by bilinear interpolation. Colours follow
ITU-R BT.601 or BT.709 in limited or full range, computed in integers of 16 fractional bits, with the same bytes on
every processor.

Raises, in all functions: TypeError for what is no picture or no samples, ValueError for a format, shape or size that
does not fit; both say what does, before a byte is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spike_engine import _core

if TYPE_CHECKING:
    import av

__all__ = ["audio_from_ndarray", "audio_to_ndarray", "convert", "from_ndarray", "to_ndarray"]

Bytes: TypeAlias = NDArray[np.uint8]
Samples: TypeAlias = NDArray[np.float32] | NDArray[np.int16]
Colorspace: TypeAlias = Literal["bt601", "bt709"]
ColorRange: TypeAlias = Literal["limited", "full"]

_CHANNELS = {"rgb24": 3, "bgr24": 3, "rgba": 4, "bgra": 4, "argb": 4, "gray8": 1, "gray": 1, "yuyv422": 2}
_PLANAR = ("yuv420p", "nv12")
# What av's frames say of their colours (AVColorSpace, AVColorRange). Frames that say nothing are BT.601 in limited
# range, as WebRTC's codecs make them.
_BT709 = 1
_FULL_RANGE = 2


def to_ndarray(
    video_frame: av.VideoFrame,
    format: str = "rgb24",  # noqa: A002 (the name that PyAV uses)
    *,
    width: int | None = None,
    height: int | None = None,
    out: Bytes | None = None,
) -> Bytes:
    """The picture of `video_frame` as an array in `format`, scaled to `width` and `height` where they are given.

    Colours are read as the frame's own ``colorspace`` and ``color_range`` say. `out` takes an array of the right shape.
    """
    if not hasattr(video_frame, "planes"):
        raise TypeError(f"video_frame must be an av.VideoFrame, not {type(video_frame).__name__}")
    size = (width or video_frame.width, height or video_frame.height)
    out = _output(out, format, size)
    bt601 = video_frame.colorspace != _BT709
    full_range = video_frame.color_range == _FULL_RANGE
    in_format, in_size = video_frame.format.name, (video_frame.width, video_frame.height)
    out_planes = _planes_of(out, format, size, written=True)
    _core.convert_picture(_frame_planes(video_frame), in_format, in_size, out_planes, format, size, bt601, full_range)
    return out


def from_ndarray(
    a: Bytes,
    format: str = "rgb24",  # noqa: A002 (the name that PyAV uses)
    *,
    to: str = "yuv420p",
    width: int | None = None,
    height: int | None = None,
    out: av.VideoFrame | None = None,
) -> av.VideoFrame:
    """An ``av.VideoFrame`` in the format `to` of the picture `a`, scaled to `width` and `height` where they are given.

    Colours are written as BT.601 in limited range, what WebRTC's codecs take. `out` takes a frame of the right format
    and size, which is written in place.
    """
    import av  # noqa: PLC0415 (only a program that has frames pays for loading it)

    in_size = _size_of(a, format)
    size = (width or in_size[0], height or in_size[1])
    if out is None:
        out = av.VideoFrame(*size, to)
    elif (out.width, out.height, out.format.name) != (*size, to):
        raise ValueError(f"out must be a {to} frame of {size[0]}x{size[1]}, not {out}")
    planes = _planes_of(a, format, in_size)
    _core.convert_picture(planes, format, in_size, _frame_planes(out), to, size, bt601=True, full_range=False)
    return out


def convert(
    array_or_planes: Bytes | Sequence[Bytes],
    from_format: str,
    to_format: str,
    *,
    width: int | None = None,
    height: int | None = None,
    colorspace: Colorspace = "bt709",
    color_range: ColorRange = "limited",
    out: Bytes | None = None,
) -> Bytes:
    """Convert a picture between any two formats.

    Args:
        array_or_planes: An array as the module describes it, or the planes of the picture as arrays of shape
            ``(rows, bytes)``, with the size then given by the first.
        from_format: The format it is in.
        to_format: The format that is wanted.
        width: The width that is wanted, that of the picture by default.
        height: The height that is wanted, that of the picture by default.
        colorspace: ``"bt601"`` or ``"bt709"``.
        color_range: ``"limited"`` or ``"full"``.
        out: Takes an array of the right shape.
    """
    if colorspace not in ("bt601", "bt709"):
        raise ValueError(f"colorspace must be 'bt601' or 'bt709', not {colorspace!r}")
    if color_range not in ("limited", "full"):
        raise ValueError(f"color_range must be 'limited' or 'full', not {color_range!r}")
    if isinstance(array_or_planes, np.ndarray):
        in_size = _size_of(array_or_planes, from_format)
        planes = _planes_of(array_or_planes, from_format, in_size)
    else:
        planes = [_checked_bytes(plane, "a plane") for plane in array_or_planes]
        if not planes or planes[0].ndim != 2:
            raise ValueError("planes must be arrays of shape (rows, bytes)")
        in_size = (planes[0].shape[1] // _CHANNELS.get(from_format, 1), planes[0].shape[0])
    size = (width or in_size[0], height or in_size[1])
    out = _output(out, to_format, size)
    out_planes = _planes_of(out, to_format, size, written=True)
    bt601, full_range = colorspace == "bt601", color_range == "full"
    _core.convert_picture(planes, from_format, in_size, out_planes, to_format, size, bt601, full_range)
    return out


def audio_to_ndarray(
    audio_frame: av.AudioFrame,
    *,
    dtype: Literal["float32", "int16"] = "float32",
    channels: int | None = None,
    out: Samples | None = None,
) -> Any:
    """The samples of `audio_frame`: shape ``(n,)`` for one channel, else ``(n, channels)``; float32 is in [-1, 1].

    Args:
        audio_frame: In the format s16, s16p, flt or fltp.
        dtype: ``"float32"`` or ``"int16"``; what is out of range saturates.
        channels: How many are wanted, those of the frame by default. Fewer are the mean of all, more are copies of it.
        out: Takes an array of the right shape and dtype.
    """
    layout = _sample_layout(audio_frame)
    in_channels = len(audio_frame.layout.channels)
    count = audio_frame.samples
    if layout.planar and in_channels > 1:
        planes = [_plane_samples(plane, layout.dtype, count) for plane in audio_frame.planes]
        samples = np.stack(planes, axis=-1)
    else:
        samples = _plane_samples(audio_frame.planes[0], layout.dtype, count * in_channels)
    channels = channels or in_channels
    shape = (count,) if channels == 1 else (count, channels)
    if out is None:
        out = np.empty(shape, dtype)
    elif out.shape != shape or out.dtype != dtype or not out.flags.c_contiguous:
        raise ValueError(f"out must be a contiguous {dtype} array of shape {shape}")
    _core.convert_samples(samples, out, in_channels, channels)
    return out


def audio_from_ndarray(
    a: Samples,
    *,
    format: Literal["s16", "flt"] = "s16",  # noqa: A002 (the name that PyAV uses)
    sample_rate_hz: int = 48000,
    out: av.AudioFrame | None = None,
) -> av.AudioFrame:
    """An ``av.AudioFrame`` of `a`, float32 in [-1, 1] or int16, shape ``(n,)`` for mono or ``(n, 2)`` for stereo.

    `format` is ``"s16"`` (what is out of range saturates) or ``"flt"``. `out` takes a frame of the right format and
    size.
    """
    import av  # noqa: PLC0415 (only a program that has frames pays for loading it)

    if not isinstance(a, np.ndarray) or a.dtype.type not in (np.float32, np.int16):
        raise TypeError("a must be a NumPy array of float32 or int16")
    if a.ndim not in (1, 2) or (a.ndim == 2 and a.shape[1] not in (1, 2)) or len(a) == 0:
        raise ValueError(f"a must have shape (n,) or (n, 2) and not be empty, not {a.shape}")
    if format not in ("s16", "flt"):
        raise ValueError(f"format must be 's16' or 'flt', not {format!r}")
    channels = 1 if a.ndim == 1 else a.shape[1]
    if out is None:
        out = av.AudioFrame(format, "mono" if channels == 1 else "stereo", len(a))
    elif (out.format.name, out.samples, len(out.layout.channels)) != (format, len(a), channels):
        raise ValueError(f"out must be a {format} frame of {len(a)} samples and {channels} channels")
    out.sample_rate = sample_rate_hz
    dtype = np.int16 if format == "s16" else np.float32
    samples = _plane_samples(out.planes[0], dtype, len(a) * channels)
    _core.convert_samples(np.ascontiguousarray(a), samples, channels, channels)
    return out


class _SampleLayout:
    """How the samples of an av format lie in memory."""

    def __init__(self, dtype: type, *, planar: bool) -> None:
        self.dtype = dtype
        self.planar = planar


_SAMPLE_LAYOUTS = {
    "s16": _SampleLayout(np.int16, planar=False),
    "s16p": _SampleLayout(np.int16, planar=True),
    "flt": _SampleLayout(np.float32, planar=False),
    "fltp": _SampleLayout(np.float32, planar=True),
}


def _sample_layout(audio_frame: Any) -> _SampleLayout:
    name = getattr(getattr(audio_frame, "format", None), "name", None)
    if not hasattr(audio_frame, "samples") or name not in _SAMPLE_LAYOUTS:
        raise TypeError(f"audio_frame must be an av.AudioFrame in s16, s16p, flt or fltp, not {audio_frame!r}")
    return _SAMPLE_LAYOUTS[name]


def _plane_samples(plane: Any, dtype: type, count: int) -> Any:
    """The samples of an av.AudioPlane as a view, which keeps the frame's memory alive."""
    return np.frombuffer(plane, dtype, count)


def _frame_planes(frame: Any) -> list[Bytes]:
    """The planes of an av.VideoFrame as views, which keep the frame's memory alive."""
    return [np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size) for plane in frame.planes]


def _checked_bytes(a: object, name: str) -> Bytes:
    if not isinstance(a, np.ndarray) or a.dtype != np.uint8:
        kind = f"an array of {a.dtype}" if isinstance(a, np.ndarray) else type(a).__name__
        raise TypeError(f"{name} must be a NumPy array of uint8, not {kind}")
    return a


def _shape_of(format: str, size: tuple[int, int]) -> tuple[int, ...]:  # noqa: A002
    width, height = size
    if format in _PLANAR:
        if width % 2 or height % 2:
            raise ValueError(f"a {format} array needs an even width and height, not {width}x{height}")
        return height * 3 // 2, width
    if format not in _CHANNELS:
        raise ValueError(f"the format must be one of {', '.join([*_PLANAR, *_CHANNELS])}, not {format!r}")
    channels = _CHANNELS[format]
    return (height, width) if channels == 1 else (height, width, channels)


def _size_of(a: Bytes, format: str) -> tuple[int, int]:  # noqa: A002
    """(width, height) of an array in `format`."""
    _checked_bytes(a, "the picture")
    if a.ndim < 2 or 0 in a.shape:
        raise ValueError(f"a picture in {format} has at least one row and one column; this array has shape {a.shape}")
    height = a.shape[0] * 2 // 3 if format in _PLANAR else a.shape[0]
    size = (a.shape[1], height)
    if a.shape != _shape_of(format, size):
        raise ValueError(f"a picture in {format} does not have the shape {a.shape}")
    return size


def _output(out: Bytes | None, format: str, size: tuple[int, int]) -> Bytes:  # noqa: A002
    shape = _shape_of(format, size)
    if min(size) < 1:
        raise ValueError(f"width and height must be above 0, not {size}")
    if out is None:
        return np.empty(shape, np.uint8)
    if _checked_bytes(out, "out").shape != shape or not out.flags.writeable:
        raise ValueError(f"out must be a writeable array of shape {shape}, not {out.shape}")
    return out


def _planes_of(a: Bytes, format: str, size: tuple[int, int], *, written: bool = False) -> list[Bytes]:  # noqa: A002
    """The planes of an array as views of shape (rows, bytes).

    An array whose pixels do not lie side by side is copied if it is read, and refused if it is to be written.
    """
    width, height = size
    in_pieces = not a.flags.c_contiguous if format == "yuv420p" else a.strides[1:] != _packed_strides(a)
    if in_pieces and written:
        raise ValueError("out: the pixels of a row must lie side by side")
    if in_pieces:
        a = np.ascontiguousarray(a)
    if format == "yuv420p":
        half = a[height:].reshape(2, height // 2, width // 2)
        return [a[:height], half[0], half[1]]
    if format == "nv12":
        return [a[:height], a[height:]]
    if a.ndim == 3:
        return [np.lib.stride_tricks.as_strided(a, (a.shape[0], a.shape[1] * a.shape[2]), (a.strides[0], 1))]
    return [a]


def _packed_strides(a: Bytes) -> tuple[int, ...]:
    return (a.shape[2], 1) if a.ndim == 3 else (1,)
