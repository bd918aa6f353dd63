"""Functions of the program that hear every block of audio that passes."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spike_engine.errors import InvalidOption

logger = logging.getLogger(__name__)

TapKind: TypeAlias = Literal["microphone", "processed", "ai"]
AudioTap: TypeAlias = Callable[[TapKind, NDArray[np.float32]], object]


class Taps:
    """Calls each tap with every block. One that raises is logged by its name, at its first time, and stops no other."""

    def __init__(self) -> None:
        self._taps: list[AudioTap] = []
        self._raised: list[AudioTap] = []

    def add(self, tap: AudioTap) -> None:
        """Call `tap` from the next block on.

        Raises:
            InvalidOption: It cannot be called with ``(kind, samples)``, or is ``async``.
        """
        if not callable(tap) or inspect.iscoroutinefunction(tap) or not _takes_two(tap):
            raise InvalidOption(f"a tap is a function, not async, that takes (kind, samples), not {tap!r}")
        self._taps.append(tap)

    def remove(self, tap: AudioTap) -> None:
        """Call `tap` no more; one that was never added is no error."""
        self._taps = [kept for kept in self._taps if kept != tap]
        self._raised = [kept for kept in self._raised if kept != tap]

    def __call__(self, kind: TapKind, samples: NDArray[np.float32]) -> None:
        """Hand out one block."""
        for tap in tuple(self._taps):
            if tap not in self._taps:
                continue  # a tap before it took it off
            try:
                tap(kind, samples)
            except (Exception, asyncio.CancelledError):
                self._log(tap)

    def _log(self, tap: AudioTap) -> None:
        if tap not in self._raised:
            self._raised.append(tap)
            name = getattr(tap, "__qualname__", type(tap).__qualname__)
            logger.exception("the audio tap %s raised; more of the same is not logged", name)


def _takes_two(tap: AudioTap) -> bool:
    try:
        inspect.signature(tap).bind("microphone", None)
    except TypeError:
        return False
    except ValueError:  # some builtins have no signature
        return True
    return True
