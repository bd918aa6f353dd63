"""Frames of containers, whatever has become of some of their packets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_DAMAGED_IN_A_ROW = 30  # are no accident


def frames_in(container: Any, kind: str) -> Iterator[Any]:
    """The frames of the first stream of `kind`, ``"audio"`` or ``"video"``, of a PyAV container; blocks.

    What was damaged on its way is left out.

    Raises:
        ValueError: Nothing that comes can be decoded.
        OSError: The device is gone, or the file cannot be read any more.
    """
    damaged = 0
    while True:
        try:
            for frame in container.decode(**{kind: 0}):
                damaged = 0
                yield frame
        except ValueError:  # PyAV's InvalidDataError, which ends its generator
            damaged += 1
            if damaged == _DAMAGED_IN_A_ROW:
                raise
        else:
            return
