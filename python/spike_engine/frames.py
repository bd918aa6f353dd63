"""Pictures and samples between devices, codecs and NumPy.

Pictures are uint8 arrays: ``(height, width, 3)`` for rgb24 and bgr24, ``(height, width, 4)`` for rgba, bgra and argb,
``(height, width)`` for gray8, ``(height, width, 2)`` for yuyv422, and ``(height * 3 / 2, width)`` for yuv420p and
nv12, whose width and height are then even. Rows may lie anywhere: slices and pictures upside down are read in place.
The planes of ``av`` frames are read and written in place as well. What is no NumPy array but has the array interface,
the buffer protocol or DLPack on the CPU (a tensor) is read and written in place too.

One call crops, scales, converts and turns, in this order and in one pass over the picture. Colours follow ITU-R BT.601
or BT.709 in limited or full range, in integers, with the same bytes on every processor.

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

__all__ = [
    "audio_from_ndarray",
    "audio_to_ndarray",
    "convert",
    "from_ndarray",
    "planes",
    "reformat",
    "to_ndarray",
]

Bytes: TypeAlias = NDArray[np.uint8]
Samples: TypeAlias = NDArray[np.float32] | NDArray[np.int16]
Colorspace: TypeAlias = Literal["bt601", "bt709"]
ColorRange: TypeAlias = Literal["limited", "full"]
Scaling: TypeAlias = Literal["area", "bilinear", "bicubic"]
Rotation: TypeAlias = Literal[0, 90, 180, 270]
Crop: TypeAlias = tuple[int, int, int, int]
SampleType: TypeAlias = Literal["float32", "int16", "int32"]

# What av's frames say of their colours (AVColorSpace, AVColorRange). Frames that say nothing are BT.601 in limited
# range, as WebRTC's codecs make them.
_COLORSPACES = {"bt601": 6, "bt709": 1}
_COLOR_RANGES = {"limited": 1, "full": 2}


def to_ndarray(
    video_frame: av.VideoFrame,
    format: str = "rgb24",  # noqa: A002 (the name that PyAV uses)
    *,
    width: int | None = None,
    height: int | None = None,
    colorspace: Colorspace | None = None,
    color_range: ColorRange | None = None,
    crop: Crop | None = None,
    rotate: Rotation = 0,
    mirror: bool = False,
    scaling: Scaling = "area",
    out: Any = None,
) -> Bytes:
    """The picture of `video_frame` as an array in `format`, scaled to `width` and `height` where they are given.

    Colours are read as the frame's own ``colorspace`` and ``color_range`` say, unless these are given here. The other
    arguments are those of `convert`.
    """
    if out is not None and type(out) is not np.ndarray:
        out = _in_place(out)
    made: Bytes = _core.convert_picture(
        video_frame, None, format, width, height, colorspace, color_range, out, crop, rotate, mirror, scaling
    )
    return made


def from_ndarray(
    a: Any,
    format: str = "rgb24",  # noqa: A002 (the name that PyAV uses)
    *,
    to: str = "yuv420p",
    width: int | None = None,
    height: int | None = None,
    colorspace: Colorspace | None = None,
    color_range: ColorRange | None = None,
    crop: Crop | None = None,
    rotate: Rotation = 0,
    mirror: bool = False,
    scaling: Scaling = "area",
    out: av.VideoFrame | None = None,
) -> av.VideoFrame:
    """An ``av.VideoFrame`` in the format `to` of the picture `a`, scaled to `width` and `height` where they are given.

    Colours are written as BT.601 in limited range, what WebRTC's codecs take, unless `colorspace` or `color_range` say
    otherwise: the frame then says so too. `out` takes a frame of the right format and size, which is written in place,
    in the colours that it says it has. The other arguments are those of `convert`.
    """
    if type(a) is not np.ndarray:
        a = _in_place(a)
    if out is None:
        size = _size_after(_core.picture_size(a, format), crop, rotate, width, height)
        out = _new_frame(size, to)
    _refuse_other_format(out, to)
    _core.convert_picture(a, format, to, width, height, colorspace, color_range, out, crop, rotate, mirror, scaling)
    return _coloured(out, colorspace, color_range)


def reformat(
    video_frame: av.VideoFrame,
    to: str = "yuv420p",
    *,
    width: int | None = None,
    height: int | None = None,
    crop: Crop | None = None,
    rotate: Rotation = 0,
    mirror: bool = False,
    scaling: Scaling = "area",
    out: av.VideoFrame | None = None,
) -> av.VideoFrame:
    """Another frame of the picture of `video_frame`, in the format `to`, with its colours, time and time base.

    The arguments are those of `from_ndarray`.
    """
    if not hasattr(video_frame, "planes"):
        raise TypeError(f"video_frame must be an av.VideoFrame, not {type(video_frame).__name__}")
    if out is None:
        size = _size_after((video_frame.width, video_frame.height), crop, rotate, width, height)
        out = _new_frame(size, to)
    _refuse_other_format(out, to)
    _core.convert_picture(video_frame, None, to, width, height, None, None, out, crop, rotate, mirror, scaling)
    out.colorspace, out.color_range = video_frame.colorspace, video_frame.color_range
    out.pts, out.time_base = video_frame.pts, video_frame.time_base
    return out


def planes(video_frame: av.VideoFrame) -> list[Bytes]:
    """The planes of `video_frame` as arrays of shape ``(rows, bytes)``, to be read and written in place.

    Each keeps the memory of the frame alive. Rows may be longer than the picture is wide.
    """
    if not hasattr(video_frame, "planes"):
        raise TypeError(f"video_frame must be an av.VideoFrame, not {type(video_frame).__name__}")
    return [_plane_bytes(plane) for plane in video_frame.planes]


def convert(
    array_or_planes: Any,
    from_format: str,
    to_format: str,
    *,
    width: int | None = None,
    height: int | None = None,
    colorspace: Colorspace = "bt709",
    color_range: ColorRange = "limited",
    crop: Crop | None = None,
    rotate: Rotation = 0,
    mirror: bool = False,
    scaling: Scaling = "area",
    out: Any = None,
) -> Any:
    """Convert a picture between any two formats.

    Args:
        array_or_planes: An array as the module describes it, or a list of the planes of the picture as arrays of shape
            ``(rows, bytes)``, with the size then given by the first.
        from_format: The format it is in.
        to_format: The format that is wanted.
        width: The width that is wanted, that of the (cropped and turned) picture by default.
        height: The height that is wanted, likewise.
        colorspace: ``"bt601"`` or ``"bt709"``.
        color_range: ``"limited"`` or ``"full"``.
        crop: ``(x, y, width, height)``, the part that is taken; x and y even where pixels share their chroma.
        rotate: How far the picture is turned clockwise, in degrees: 0, 90, 180 or 270.
        mirror: Whether left and right change places, after it was turned.
        scaling: ``"area"`` averages where the picture shrinks and is linear where it grows; ``"bilinear"`` and
            ``"bicubic"`` (Keys 1981, a = -1/2) stretch their kernels where it shrinks.
        out: Takes an array of the right shape, or a list of planes, and is returned.
    """
    if type(array_or_planes) is not np.ndarray:
        array_or_planes = _in_place(array_or_planes)
    if out is not None and type(out) is not np.ndarray:
        out = _in_place(out)
    return _core.convert_picture(
        array_or_planes,
        from_format,
        to_format,
        width,
        height,
        colorspace,
        color_range,
        out,
        crop,
        rotate,
        mirror,
        scaling,
    )


def _in_place(a: Any) -> Any:
    """The arrays of what is none itself, over the same memory; what has no memory to share is left to be refused."""
    if isinstance(a, np.ndarray):
        return a
    if isinstance(a, Sequence) and not isinstance(a, (str, bytes, bytearray, memoryview)):
        return [_in_place(plane) for plane in a]
    if isinstance(a, (bytes, bytearray, memoryview)) or hasattr(a, "__array_interface__"):
        return np.asarray(a) if not isinstance(a, (bytes, bytearray)) else np.frombuffer(a, np.uint8)
    if hasattr(a, "__dlpack__"):
        return np.from_dlpack(a)
    return a


def _plane_bytes(plane: Any) -> Any:
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)


def _size_after(
    size: tuple[int, int], crop: Crop | None, rotate: int, width: int | None, height: int | None
) -> tuple[int, int]:
    """(width, height) of a picture that was cropped, turned and scaled."""
    across, down = (crop[2], crop[3]) if crop else size
    if rotate in {90, 270}:
        across, down = down, across
    size = (across if width is None else width, down if height is None else height)
    if min(size) < 1:
        raise ValueError(f"width and height must be above 0, not {size}")
    return size


def _new_frame(size: tuple[int, int], format: str) -> av.VideoFrame:  # noqa: A002
    import av  # noqa: PLC0415 (only a program that has frames pays for loading it)

    return av.VideoFrame(*size, "gray" if format == "gray8" else format)


def _refuse_other_format(frame: Any, to: str) -> None:
    name = getattr(getattr(frame, "format", None), "name", None)
    if name is None:
        raise TypeError(f"out must be an av.VideoFrame, not {type(frame).__name__}")
    if name != to and (name, to) != ("gray", "gray8"):
        raise ValueError(f"out must be a {to} frame, not {frame}")


def _coloured(frame: av.VideoFrame, colorspace: str | None, color_range: str | None) -> av.VideoFrame:
    if colorspace is not None:
        frame.colorspace = _COLORSPACES[colorspace]
    if color_range is not None:
        frame.color_range = _COLOR_RANGES[color_range]
    return frame


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
