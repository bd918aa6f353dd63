"""A face drawn with NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Avatar:
    """A face whose mouth follows a level."""

    def __init__(self, width: int = 640, height: int = 360, *, fps: int = 15) -> None:
        self.thinking = False
        self.fps = fps
        self._background = np.full((height, width, 3), (32, 40, 64), np.uint8)

    def draw(self, level: float) -> NDArray[np.uint8]:
        """The next picture, (height, width, 3) rgb24."""
        picture = self._background.copy()
        open_rows = 4 + int(min(level, 0.3) * 200)
        picture[240 - open_rows : 240 + open_rows, 260:380] = (220, 90, 90)
        return picture
