"""Pictures of cameras, files and tracks as RGB arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine import frames
from spike_engine.errors import DeviceNotFound


def rgb_of(frame: Any) -> NDArray[np.uint8]:
    """The picture of an ``av.VideoFrame`` of any format, shape ``(height, width, 3)``.

    Raises:
        DeviceNotFound: Its format cannot be converted.
    """
    try:
        return frames.to_ndarray(frame, "rgb24")
    except ValueError:  # cameras and files have more formats than the codecs of calls
        pass
    try:
        return frame.to_ndarray(format="rgb24")  # type: ignore[no-any-return]
    except (ValueError, OSError) as error:
        raise DeviceNotFound(f"pictures of the format {frame.format.name} cannot be converted: {error}") from error
