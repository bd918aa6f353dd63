"""Brings the face to life: the mouth takes the shapes of the speech, the eyes blink, and thinking shows."""

from __future__ import annotations

import math

import numpy as np

from spike_engine.server.persona import MouthShape
from spike_engine.server.picture.face import BOB_ROWS, MAX_DOTS, Face, Picture

BLINK = (1, 3, 2)  # steps of LIDS, one per picture
BLINK_GAP_S = (2.0, 5.0)
BREATH_S = 4.0
DOT_S = 0.35


class Avatar:
    """Draws the AI, `fps` pictures per second of its time.

    Attributes:
        thinking: Set it while the AI thinks.
    """

    def __init__(self, face: Face, *, fps: int = 15, seed: int = 1) -> None:
        self.thinking = False
        self.fps = fps
        self._face = face
        self._random = np.random.default_rng(seed)
        self._canvas: Picture = self._face.base.copy()
        self._drawn = 0
        self._next_blink = self._draw_of_blink()

    def draw(self, mouth: MouthShape = "rest") -> Picture:
        """The next picture, (height, width, 3) rgb24: a view that the next call paints over."""
        face = self._face
        face.mouths[mouth].put(self._canvas)
        face.eyes[self.thinking][self._lid()].put(self._canvas)
        dots = int(self._drawn / (DOT_S * self.fps)) % (MAX_DOTS + 1) if self.thinking else 0
        face.dots[dots].put(self._canvas)
        bob = round(BOB_ROWS * math.sin(2 * math.pi * self._drawn / (BREATH_S * self.fps)) / 2)
        self._drawn += 1
        return self._canvas[BOB_ROWS + bob : len(self._canvas) - BOB_ROWS + bob]

    def _lid(self) -> int:
        step = self._drawn - self._next_blink
        if step >= len(BLINK):
            self._next_blink = self._drawn + self._draw_of_blink()
        return BLINK[step] if 0 <= step < len(BLINK) else 0

    def _draw_of_blink(self) -> int:
        return int(self._random.uniform(*BLINK_GAP_S) * self.fps)
