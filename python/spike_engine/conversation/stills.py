"""A single picture for the AI, small enough for one message."""

from __future__ import annotations

import base64
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from spike_engine.errors import InvalidOption

# A data channel carries messages of 64 KiB, and base64 makes four bytes of three.
MOST_BYTES = 44_000
WIDTHS = (1280, 960, 640, 480, 320, 160)
MOST_SIDE = 16_384
_QUANTISER = 5  # of 31: fine enough to read small print


class Still:
    """A picture as JPEG (ITU T.81), no larger than a message may be: where it is, it is scaled down.

    Args:
        picture: uint8 of shape ``(height, width, 3)``, RGB.

    Raises:
        InvalidOption: It is none.
    """

    media_type = "image/jpeg"

    def __init__(self, picture: NDArray[np.uint8]) -> None:
        shape: tuple[int, ...] = getattr(picture, "shape", ())
        fits = len(shape) == 3 and shape[2] == 3 and min(shape) > 0 and max(shape) <= MOST_SIDE
        if not fits or picture.dtype != np.uint8:
            what = f"{picture.dtype} of shape {shape}" if isinstance(picture, np.ndarray) else f"{picture!r:.80}"
            raise InvalidOption(f"picture must be uint8 of shape (height, width, 3), not {what}")
        height, width = shape[:2]
        for most in WIDTHS:
            scale = min(1.0, most / max(width, height))
            self.width, self.height = (max(2, 2 * round(scale * side / 2)) for side in (width, height))
            self.data = _jpeg(picture, self.width, self.height)
            if len(self.data) <= MOST_BYTES:
                break

    @property
    def text(self) -> str:
        """The bytes in base64."""
        return base64.b64encode(self.data).decode()


def _jpeg(picture: NDArray[np.uint8], width: int, height: int) -> bytes:
    import av  # noqa: PLC0415 (it loads at first use)

    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "yuvj420p", Fraction(1, 25)
    encoder.qmin = encoder.qmax = _QUANTISER
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    packets = [*encoder.encode(frame.reformat(width, height, "yuvj420p")), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)
