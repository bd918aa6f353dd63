from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from spike_engine.server.persona import MOUTH_SHAPES
from spike_engine.server.picture.avatar import Avatar
from spike_engine.server.picture.face import BOB_ROWS, paint_face

WIDTH, HEIGHT = 320, 180


@pytest.fixture
def avatar() -> Avatar:
    return Avatar(paint_face(WIDTH, HEIGHT))


def mouth(picture: np.ndarray) -> np.ndarray:
    return picture[110:138, 140:180].copy()


def test_a_picture_has_the_size_of_the_video(avatar: Avatar) -> None:
    picture = avatar.draw()

    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert picture.dtype == np.uint8


def test_each_shape_of_the_mouth_looks_different() -> None:
    mouths = [mouth(Avatar(paint_face(WIDTH, HEIGHT)).draw(shape)) for shape in MOUTH_SHAPES]

    for first, second in combinations(mouths, 2):
        assert np.count_nonzero(np.any(first != second, axis=2)) > 30


def test_the_mouth_is_closed_again_with_the_next_picture(avatar: Avatar) -> None:
    closed, opened, after = (mouth(avatar.draw(shape)) for shape in ("rest", "open", "rest"))

    assert np.any(closed != opened)
    assert np.array_equal(closed, after)


def test_it_blinks_and_breathes(avatar: Avatar) -> None:
    pictures = [avatar.draw().copy() for _ in range(15 * 8)]

    changes = [np.count_nonzero(np.any(a != b, axis=2)) for a, b in pairwise(pictures)]
    assert min(changes) == 0
    assert any(0 < change < 3000 for change in changes)  # eyelids
    assert any(change > 3000 for change in changes)  # the head moves


def test_thinking_shows(avatar: Avatar) -> None:
    calm = avatar.draw().copy()
    avatar.thinking = True
    for _ in range(7):
        pondering = avatar.draw()

    assert np.any(calm[50:90, 120:200] != pondering[50:90, 120:200])  # the eyes look up
    assert np.any(calm[:50, 220:] != pondering[:50, 220:])  # dots


def test_the_same_seed_draws_the_same() -> None:
    first, second = (Avatar(paint_face(WIDTH, HEIGHT), seed=5) for _ in range(2))

    assert all(np.array_equal(first.draw("open"), second.draw("open")) for _ in range(100))


def test_conversations_share_the_painted_face_and_cannot_change_it() -> None:
    face = paint_face(WIDTH, HEIGHT)

    assert paint_face(WIDTH, HEIGHT) is face
    assert face.base.shape == (HEIGHT + 2 * BOB_ROWS, WIDTH, 3)
    with pytest.raises(ValueError, match="read-only"):
        face.base[0, 0] = 0
