"""libyuv (Debian: libyuv0) through ctypes: the conversions that the benchmarks compare with."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

try:
    _LIBRARY: Any = ctypes.CDLL("libyuv.so.0")
except OSError:
    _LIBRARY = None

_BOX = 3


def available() -> bool:
    return _LIBRARY is not None


def _planes(a: Any, format: str, width: int, height: int) -> list[Any]:  # noqa: A002
    """Addresses and strides in turn, as libyuv takes them."""
    at, half = a.ctypes.data, width // 2
    if format == "yuv420p":
        u = at + width * height
        pairs = [(at, width), (u, half), (u + half * (height // 2), half)]
    elif format == "nv12":
        pairs = [(at, width), (at + width * height, width)]
    else:
        pairs = [(at, a.strides[0])]
    return [value for address, stride in pairs for value in (ctypes.c_void_p(address), stride)]


_NAMES = {  # libyuv names formats by the order of a little-endian word
    ("yuv420p", "rgb24"): "I420ToRAW",
    ("yuv420p", "rgba"): "I420ToABGR",
    ("nv12", "rgb24"): "NV12ToRAW",
    ("rgb24", "yuv420p"): "RAWToI420",
    ("rgba", "yuv420p"): "ABGRToI420",
    ("nv12", "yuv420p"): "NV12ToI420",
}


def conversion(a: Any, source: str, out: Any, target: str, width: int, height: int) -> Callable[[], Any] | None:
    if not available() or (source, target) not in _NAMES:
        return None
    function = getattr(_LIBRARY, _NAMES[source, target])
    arguments = [*_planes(a, source, width, height), *_planes(out, target, width, height), width, height]
    kept = (a, out)  # libyuv knows their addresses only
    return lambda: kept and function(*arguments)


def box_scale(a: Any, size: tuple[int, int], out: Any, out_size: tuple[int, int]) -> Callable[[], Any] | None:
    if not available():
        return None
    arguments = [*_planes(a, "yuv420p", *size), *size, *_planes(out, "yuv420p", *out_size), *out_size, _BOX]
    kept = (a, out)
    return lambda: kept and _LIBRARY.I420Scale(*arguments)
