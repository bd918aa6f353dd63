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
    "convert_samples",
    "from_ndarray",
    "planes",
    "reformat",
    "to_ndarray",
]

Bytes: TypeAlias = NDArray[np.uint8]
Samples: TypeAlias = NDArray[np.float32] | NDArray[np.int16] | NDArray[np.int32]
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
        video_frame, None, format, False, width, height, colorspace, color_range, out, crop, rotate, mirror, scaling
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
    made: av.VideoFrame = _core.convert_picture(
        a, format, to, True, width, height, colorspace, color_range, out, crop, rotate, mirror, scaling
    )
    if colorspace is not None:
        made.colorspace = _COLORSPACES[colorspace]
    if color_range is not None:
        made.color_range = _COLOR_RANGES[color_range]
    return made


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
    made: av.VideoFrame = _core.convert_picture(
        video_frame, None, to, True, width, height, None, None, out, crop, rotate, mirror, scaling
    )
    made.colorspace, made.color_range = video_frame.colorspace, video_frame.color_range
    made.pts = video_frame.pts
    if video_frame.time_base is not None:
        made.time_base = video_frame.time_base
    return made


def planes(video_frame: av.VideoFrame) -> list[Bytes]:
    """The planes of `video_frame` as arrays of shape ``(rows, bytes)``, to be read and written in place.

    Each keeps the memory of the frame alive. Rows may be longer than the picture is wide.
    """
    try:
        return [_plane_bytes(plane) for plane in video_frame.planes]
    except AttributeError:
        raise TypeError(f"video_frame must be an av.VideoFrame, not {type(video_frame).__name__}") from None


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
) -> Bytes:
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
        out: Takes an array of the right shape, or a list of planes, and is returned. It may not share memory with the
            picture.
    """
    if type(array_or_planes) is not np.ndarray:
        array_or_planes = _in_place(array_or_planes)
    if out is not None and type(out) is not np.ndarray:
        out = _in_place(out)
    converted: Bytes = _core.convert_picture(
        array_or_planes,
        from_format,
        to_format,
        False,
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
    return converted


def _in_place(a: Any) -> Any:
    """The arrays of what is none itself, over the same memory; what has no memory to share is left to be refused."""
    if isinstance(a, np.ndarray):
        return a
    if isinstance(a, Sequence) and not isinstance(a, (str, bytes, bytearray, memoryview)):
        return [_in_place(plane) for plane in a]
    if isinstance(a, memoryview):
        return np.asarray(memoryview(a))  # which is refused where it was released
    if isinstance(a, (bytes, bytearray)):
        return np.frombuffer(a, np.uint8)
    if hasattr(a, "__array_interface__"):
        return np.asarray(a)
    if hasattr(a, "__dlpack__"):
        return np.from_dlpack(a)
    return a


def _plane_bytes(plane: Any) -> Any:
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, abs(plane.line_size))
    if plane.line_size > 0:
        return rows
    rows = rows[::-1]  # a picture that lies upside down
    if rows.ctypes.data != plane.buffer_ptr:
        raise ValueError("the rows of video_frame go backwards, which PyAV exports from version 17 on")
    return rows


def audio_to_ndarray(
    audio_frame: av.AudioFrame,
    *,
    dtype: SampleType = "float32",
    channels: int | None = None,
    planar: bool = False,
    dither: int | None = None,
    out: Samples | None = None,
) -> Any:
    """The samples of `audio_frame`: shape ``(n,)`` for one channel, else ``(n, channels)``; float32 is in [-1, 1].

    Args:
        audio_frame: In the format s16, s32, flt, or one of these planar.
        dtype: ``"float32"``, ``"int16"`` or ``"int32"``; what is out of range saturates.
        channels: How many are wanted, 1 to 8, those of the frame by default; see `convert_samples`.
        planar: Whether the shape is ``(channels, n)``.
        dither: As for `convert_samples`.
        out: Takes an array of the right shape and dtype.
    """
    return _core.samples_of_frame(audio_frame, _checked(dtype), channels, planar, dither, out)


def audio_from_ndarray(
    a: Samples,
    *,
    format: str = "s16",  # noqa: A002 (the name that PyAV uses)
    sample_rate_hz: int = 48000,
    channels: int | None = None,
    planar: bool = False,
    dither: int | None = None,
    out: av.AudioFrame | None = None,
) -> av.AudioFrame:
    """An ``av.AudioFrame`` of `a`: float32 in [-1, 1], int16 or int32, shape ``(n,)`` or ``(n, channels)``.

    Args:
        a: The samples; ``(channels, n)`` where `planar` says so.
        format: ``"s16"``, ``"s32"``, ``"flt"``, or one of these with a p, for planar; what is out of range saturates.
        sample_rate_hz: Written into the frame.
        channels: How many are wanted, 1 to 8, those of `a` by default; see `convert_samples`.
        planar: Whether `a` has the shape ``(channels, n)``.
        dither: As for `convert_samples`.
        out: Takes a frame of the right format and size.
    """
    if not isinstance(a, np.ndarray) or a.dtype.type not in {np.float32, np.int16, np.int32}:
        raise TypeError("a must be a NumPy array of float32, int16 or int32")
    if a.ndim not in {1, 2} or a.size == 0 or (a.ndim == 2 and a.shape[0 if planar else 1] not in _LAYOUTS):
        raise ValueError(f"a must have the shape of 1 to 8 channels and not be empty, not {a.shape}")
    if format not in _SAMPLE_FORMATS:
        raise ValueError(f"format must be one of {', '.join(map(repr, _SAMPLE_FORMATS))}, not {format!r}")
    rate_hz = _core.whole_number(sample_rate_hz, "sample_rate_hz", 1, (1 << 31) - 1)
    count = a.shape[-1] if planar else a.shape[0]
    if channels is None:
        channels = 1 if a.ndim == 1 else a.size // count
    channels = _core.whole_number(channels, "channels", 1, 8)
    if out is None:
        import av  # noqa: PLC0415 (only a program that has frames pays for loading it)

        out = av.AudioFrame(format, _LAYOUTS[channels], count)
    elif not hasattr(out, "layout"):
        raise TypeError(f"out must be an av.AudioFrame, not {type(out).__name__}")
    elif (out.format.name, out.samples, out.layout.nb_channels) != (format, count, channels):
        raise ValueError(f"out must be a {format} frame of {count} samples and {channels} channels")
    out.sample_rate = rate_hz
    _core.samples_to_frame(a, out, planar, dither)
    return out


def convert_samples(
    a: Samples,
    dtype: SampleType = "float32",
    *,
    channels: int | None = None,
    planar: bool = False,
    planar_out: bool | None = None,
    dither: int | None = None,
    out: Samples | None = None,
) -> Any:
    """Samples of another type, layout or number of channels.

    Args:
        a: float32 in [-1, 1], int16 or int32; shape ``(n,)``, ``(n, channels)``, or ``(channels, n)`` if `planar`.
        dtype: ``"float32"``, ``"int16"`` or ``"int32"``; what is out of range saturates, what is no number is silence.
        channels: How many are wanted, 1 to 8, those of `a` by default. A mono source goes to every channel. A channel
            that the target lacks goes to its neighbours by the gains of ITU-R BS.775-4 (0.7071 each), LFE to nobody,
            and all gains are lowered by one factor, so that nothing can clip: stereo becomes mono as the mean. The
            channels are those of FFmpeg's default layouts.
        planar: Whether `a` has the shape ``(channels, n)``.
        planar_out: Whether the result has it, as `a` does by default.
        dither: A seed: integers then get triangular dither of two steps, peak to peak. Give every block another.
        out: Takes an array of the right shape and dtype, which may not share memory with `a`.
    """
    planar_out = planar if planar_out is None else planar_out
    return _core.convert_samples(a, _checked(dtype), channels, planar, planar_out, dither, out)


def _checked(dtype: SampleType) -> SampleType:
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ValueError(f"dtype must be 'float32', 'int16' or 'int32', not {dtype!r}")
    return dtype


_DTYPES = ("float32", "int16", "int32")
_SAMPLE_FORMATS = ("s16", "s16p", "s32", "s32p", "flt", "fltp")
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
