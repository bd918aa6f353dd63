"""Brings the face to life: the mouth follows the voice, the eyes blink, and thinking shows."""

from __future__ import annotations

import math

import numpy as np

from spike_engine.server.picture.face import BOB_ROWS, MAX_DOTS, MOUTH_STEPS, Face, Picture

QUIET_DB, LOUD_DB = -42.0, -16.0
CLOSING = 0.45  # share of the way that the mouth falls shut per picture: lips are quicker to open than to close
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
        self._mouth = 0.0
        self._next_blink = self._draw_of_blink()

    def draw(self, level: float) -> Picture:
        """The next picture, (height, width, 3) rgb24, for a voice of this RMS level in [0, 1].

        It is a view that the next call paints over.
        """
        self._mouth = max(_openness(level), self._mouth * (1 - CLOSING))
        face = self._face
        face.mouths[round(self._mouth * (MOUTH_STEPS - 1))].put(self._canvas)
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


def _openness(level: float) -> float:
    level_db = 20 * math.log10(max(level, 1e-6))
    return min(1.0, max(0.0, (level_db - QUIET_DB) / (LOUD_DB - QUIET_DB)))
