"""Frames of containers, whatever has become of some of their packets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

_DAMAGED_IN_A_ROW = 30  # are no accident


def tags_of_any_encoding() -> dict[str, Any]:
    """What ``av.open`` must be told so that tags that are no UTF-8 spoil no file; from PyAV 19 on nothing."""
    import av  # noqa: PLC0415 (only a program that uses a file pays for it)

    return {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}


def frames_in(
    container: Any, kind: str, on_damage: Callable[[], None] = lambda: None, *, most: int = _DAMAGED_IN_A_ROW
) -> Iterator[Any]:
    """The frames of the first stream of `kind`, ``"audio"`` or ``"video"``, of a PyAV container; blocks.

    What was damaged on its way is left out.

    Args:
        container: Of PyAV.
        kind: Of the stream.
        on_damage: Called for each piece that is left out.
        most: So many of them in a row are an error.

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
        except IndexError:  # PyAV has lost the stream to others that came into the file later
            on_damage()
            return
        except ValueError:  # PyAV's InvalidDataError, which ends its generator
            damaged += 1
            on_damage()
            if damaged == most:
                raise
        else:
            return
