"""Pictures of cameras, files and tracks as RGB arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine import frames
from spike_engine.errors import DeviceNotFound


def rgb_of(frame: Any) -> NDArray[np.uint8]:
    """The picture of an ``av.VideoFrame`` of any format, shape ``(height, width, 3)``, upright where the film says how.

    Raises:
        DeviceNotFound: Its format cannot be converted.
    """
    turned: Any = -getattr(frame, "rotation", 0) % 360  # FFmpeg counts anticlockwise; films of phones lie on a side
    turned = turned if turned in (90, 180, 270) else 0
    try:
        return frames.to_ndarray(frame, "rgb24", rotate=turned)
    except ValueError:  # cameras and files have more formats than the codecs of calls
        pass
    try:
        return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), -turned // 90))
    except (ValueError, OSError) as error:
        raise DeviceNotFound(f"pictures of the format {frame.format.name} cannot be converted: {error}") from error
