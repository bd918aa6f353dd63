"""Paints the receptionist with NumPy: one picture, and the patches of it that move."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from spike_engine.server.persona import MOUTH_SHAPES, MouthShape

Colour = tuple[int, int, int]
Mask = NDArray[np.float32]
Picture = NDArray[np.uint8]

LIDS = (1.0, 0.55, 0.2, 0.0)  # how far the eyes are open
MAX_DOTS = 3
BOB_ROWS = 4  # the picture is painted this much taller at each end, so that the head can move

NIGHT, DAWN = (18, 24, 48), (58, 84, 120)
SKIN, SHADE, BLUSH = (236, 192, 160), (205, 152, 122), (232, 150, 130)
HAIR, COAT, SHIRT, HEADSET = (74, 46, 34), (38, 70, 83), (233, 236, 239), (44, 48, 58)
LIP, MOUTH, TEETH, TONGUE = (176, 74, 76), (84, 24, 32), (248, 246, 240), (206, 96, 96)
EYE_WHITE, IRIS, PUPIL, SPARK = (250, 250, 248), (74, 110, 86), (24, 20, 24), (255, 255, 255)
DOT = (240, 190, 90)

# Width and height of half a mouth, and how thick its lips are.
OPEN_MOUTHS: Mapping[MouthShape, tuple[float, float, float]] = {
    "teeth": (0.155, 0.045, 0.02),
    "lip": (0.14, 0.04, 0.016),
    "tongue": (0.145, 0.07, 0.022),
    "half": (0.15, 0.065, 0.022),
    "open": (0.14, 0.095, 0.024),
    "rounded": (0.105, 0.085, 0.03),
    "puckered": (0.082, 0.062, 0.034),
}


@dataclass(frozen=True, slots=True)
class Patch:
    """A part of the picture, and where it goes."""

    rows: slice
    columns: slice
    pixels: Picture

    def put(self, picture: Picture) -> None:
        """Paint it into `picture`."""
        picture[self.rows, self.columns] = self.pixels


@dataclass(frozen=True, slots=True)
class Face:
    """Everything that an animation needs; the patches hold for the picture without bob.

    Attributes:
        base: The picture (height + 2 * BOB_ROWS, width, 3), calm.
        mouths: One for each shape.
        eyes: For each step of `LIDS`, looking at the user; and the same looking up to the side.
        dots: With 0 to 3 dots of thinking.
    """

    base: Picture
    mouths: Mapping[MouthShape, Patch]
    eyes: tuple[tuple[Patch, ...], tuple[Patch, ...]]
    dots: tuple[Patch, ...]


class Canvas:
    """Float pixels to paint on with soft edges, at the coordinates `x` and `y` of their columns and rows.

    The middle of the picture is (0, 0), y points down, half of its height is 1.
    """

    def __init__(self, x: Mask, y: Mask, pixels: NDArray[np.float32], pixels_per_unit: float) -> None:
        self.x, self.y, self.pixels = x, y, pixels
        self._pixels_per_unit = pixels_per_unit

    @classmethod
    def blank(cls, width: int, height: int) -> Canvas:
        """A black canvas, `BOB_ROWS` taller than the picture at each end."""
        half = height / 2
        rows = np.arange(-BOB_ROWS, height + BOB_ROWS, dtype=np.float32)[:, np.newaxis]
        columns = np.arange(width, dtype=np.float32)[np.newaxis]
        pixels = np.zeros((height + 2 * BOB_ROWS, width, 3), np.float32)
        return cls((columns + 0.5 - width / 2) / half, (rows + 0.5 - half) / half, pixels, half)

    def patch(self, x: float, y: float, rx: float, ry: float, paint: Callable[[Canvas], None]) -> Patch:
        """What `paint` makes of the box around (x, y); the canvas itself stays as it is."""
        rows = slice(*np.searchsorted(self.y[:, 0], (y - ry, y + ry)).tolist())
        columns = slice(*np.searchsorted(self.x[0], (x - rx, x + rx)).tolist())
        box = Canvas(self.x[:, columns], self.y[rows], self.pixels[rows, columns].copy(), self._pixels_per_unit)
        paint(box)
        return Patch(rows, columns, _rounded(box.pixels))

    def fill(self, mask: Mask, colour: Colour) -> None:
        """Paint `colour` where `mask` is 1."""
        self.pixels += mask[..., np.newaxis] * (np.array(colour, np.float32) - self.pixels)

    def ellipse(self, x: float, y: float, rx: float, ry: float, *, soft: float = 0.0) -> Mask:
        """1 inside, 0 outside, with an edge of one pixel or of the share `soft` of the radius."""
        radius = np.sqrt(((self.x - x) / rx) ** 2 + ((self.y - y) / ry) ** 2)
        edge = max(soft, 1 / (self._pixels_per_unit * min(rx, ry)))
        return np.clip((1 - radius) / edge + 0.5, 0, 1)

    def stroke(self, start: tuple[float, float], end: tuple[float, float], thickness: float) -> Mask:
        """A line with round ends."""
        (x0, y0), (x1, y1) = start, end
        dx, dy = x1 - x0, y1 - y0
        along = np.clip(((self.x - x0) * dx + (self.y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
        distance = np.hypot(self.x - x0 - along * dx, self.y - y0 - along * dy)
        return np.clip((thickness / 2 - distance) * self._pixels_per_unit + 0.5, 0, 1)


@lru_cache(maxsize=4)
def paint_face(width: int = 640, height: int = 360) -> Face:
    """Paint it all, some 0.2 s for 640x360; conversations share the result, which nobody writes to."""
    canvas = Canvas.blank(width, height)
    _paint_background(canvas)
    _paint_head(canvas)
    mouths = {shape: canvas.patch(0, 0.36, 0.24, 0.17, partial(_paint_mouth, shape=shape)) for shape in MOUTH_SHAPES}
    calm, thinking = (
        tuple(canvas.patch(0, -0.09, 0.36, 0.2, partial(_paint_eyes, lid=lid, thinking=thinking)) for lid in LIDS)
        for thinking in (False, True)
    )
    dots = tuple(
        canvas.patch(0.95, -0.55, 0.25, 0.12, partial(_paint_dots, count=count)) for count in range(MAX_DOTS + 1)
    )
    return Face(_rounded(canvas.pixels), mouths, (calm, thinking), dots)


def _paint_background(canvas: Canvas) -> None:
    canvas.fill(np.ones(canvas.pixels.shape[:2], np.float32), NIGHT)
    canvas.fill(canvas.ellipse(0, -0.1, 1.5, 1.3, soft=1.0), DAWN)


def _paint_head(canvas: Canvas) -> None:
    canvas.fill(canvas.ellipse(0, -0.02, 0.56, 0.74), HAIR)
    canvas.fill(canvas.ellipse(0, 1.2, 0.95, 0.52), COAT)
    canvas.fill(canvas.ellipse(0, 0.86, 0.3, 0.22), SHIRT)
    canvas.fill(canvas.ellipse(0, 0.66, 0.2, 0.28), SHADE)
    canvas.fill(canvas.ellipse(0, 0.06, 0.44, 0.56), SKIN)
    canvas.fill(canvas.ellipse(0.44, 0.1, 0.5, 0.6, soft=1.0) * canvas.ellipse(0, 0.06, 0.44, 0.56) * 0.35, SHADE)
    head = canvas.ellipse(0, -0.02, 0.56, 0.74)
    canvas.fill(head * canvas.ellipse(-0.14, -0.5, 0.4, 0.22), HAIR)
    canvas.fill(head * canvas.ellipse(0.26, -0.46, 0.26, 0.18), HAIR)
    for side in (-1, 1):
        canvas.fill(canvas.ellipse(side * 0.26, 0.2, 0.11, 0.08, soft=1.0) * 0.6, BLUSH)
    canvas.fill(canvas.stroke((0.01, 0.02), (0.03, 0.16), 0.035), SHADE)
    band = canvas.ellipse(0, 0, 0.6, 0.79) * (1 - canvas.ellipse(0, 0.01, 0.55, 0.73)) * (canvas.y < 0.05)
    canvas.fill(band, HEADSET)
    for side in (-1, 1):
        canvas.fill(canvas.ellipse(side * 0.51, 0.08, 0.09, 0.16), HEADSET)
    canvas.fill(canvas.stroke((-0.52, 0.16), (-0.4, 0.5), 0.03), HEADSET)
    canvas.fill(canvas.stroke((-0.4, 0.5), (-0.27, 0.53), 0.05), HEADSET)


def _paint_mouth(canvas: Canvas, shape: MouthShape) -> None:
    if shape == "rest":
        smile = canvas.ellipse(0, 0.33, 0.16, 0.075) * (1 - canvas.ellipse(0, 0.305, 0.18, 0.07))
        canvas.fill(smile, LIP)
    elif shape == "closed":
        canvas.fill(canvas.ellipse(0, 0.36, 0.135, 0.032), LIP)
        canvas.fill(canvas.stroke((-0.115, 0.36), (0.115, 0.36), 0.012), MOUTH)
    else:
        _paint_open_mouth(canvas, shape)


def _paint_open_mouth(canvas: Canvas, shape: MouthShape) -> None:
    width, height, lips = OPEN_MOUTHS[shape]
    canvas.fill(canvas.ellipse(0, 0.36, width, height), LIP)
    inside = canvas.ellipse(0, 0.36, width - lips, max(height - lips, 0.012))
    canvas.fill(inside, TEETH if shape in ("teeth", "lip") else MOUTH)
    if shape == "teeth":
        canvas.fill(inside * canvas.stroke((-width, 0.36), (width, 0.36), 0.01), MOUTH)
    elif shape == "lip":  # the upper teeth on the lower lip
        canvas.fill(canvas.ellipse(0, 0.36 + height * 0.8, width * 0.8, height * 0.7), LIP)
    else:
        raised = 0.2 if shape == "tongue" else 0.75
        canvas.fill(inside * canvas.ellipse(0, 0.36 - height, width * 0.7, height * 0.45), TEETH)
        canvas.fill(inside * canvas.ellipse(0, 0.36 + height * raised, width * 0.6, height * 0.6), TONGUE)


def _paint_eyes(canvas: Canvas, lid: float, *, thinking: bool) -> None:
    gaze_x, gaze_y = (0.028, -0.026) if thinking else (0.0, 0.0)
    for side in (-1, 1):
        x, y = side * 0.17, -0.05
        if lid == 0:
            canvas.fill(canvas.stroke((x - 0.075, y + 0.01), (x + 0.075, y + 0.01), 0.018), HAIR)
        else:
            eye = canvas.ellipse(x, y, 0.085, 0.062 * lid)
            canvas.fill(canvas.ellipse(x, y - 0.008, 0.094, 0.07 * lid), HAIR)
            canvas.fill(eye, EYE_WHITE)
            canvas.fill(eye * canvas.ellipse(x + gaze_x, y + gaze_y, 0.045, 0.045), IRIS)
            canvas.fill(eye * canvas.ellipse(x + gaze_x, y + gaze_y, 0.024, 0.024), PUPIL)
            canvas.fill(eye * canvas.ellipse(x + gaze_x + 0.015, y + gaze_y - 0.015, 0.01, 0.01), SPARK)
        raised = 0.045 if thinking else 0.0
        inner, outer = (x - side * 0.07, y - 0.111 - raised), (x + side * 0.085, y - 0.109 - raised)
        canvas.fill(canvas.stroke(inner, outer, 0.026), HAIR)


def _paint_dots(canvas: Canvas, count: int) -> None:
    for index in range(count):
        canvas.fill(canvas.ellipse(0.8 + 0.15 * index, -0.55, 0.045, 0.045), DOT)


def _rounded(pixels: NDArray[np.float32]) -> Picture:
    picture = np.rint(pixels).astype(np.uint8)
    picture.flags.writeable = False
    return picture
