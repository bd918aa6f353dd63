"""Functions of the program that hear every block."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from spike_engine import InvalidOption
from spike_engine.media.taps import Taps

BLOCK = np.zeros(960, np.float32)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), asyncio.CancelledError()])
def test_a_tap_that_raises_is_logged_once_and_stops_no_other(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    taps, heard = Taps(), []

    def disk_is_full(kind: str, samples: Any) -> None:
        heard.append("first")
        raise error

    taps.add(disk_is_full)
    taps.add(lambda kind, samples: heard.append("second"))
    for _ in range(2):
        taps("microphone", BLOCK)

    assert heard == ["first", "second"] * 2
    assert [record.message.count("disk_is_full") for record in caplog.records] == [1]


def test_a_tap_is_taken_off_at_once_by_itself_or_another() -> None:
    taps, heard = Taps(), []

    def first(kind: str, samples: Any) -> None:
        heard.append("first")
        taps.remove(second)
        taps.remove(first)

    def second(kind: str, samples: Any) -> None:
        heard.append("second")

    taps.add(first)
    taps.add(second)
    for _ in range(2):
        taps("ai", BLOCK)
    taps.remove(first)  # which is gone already

    assert heard == ["first"]


async def not_a_function(kind: str, samples: Any) -> None: ...


@pytest.mark.parametrize("tap", [None, not_a_function, len], ids=["None", "async", "one argument"])
def test_what_is_no_tap_is_refused(tap: Any) -> None:
    with pytest.raises(InvalidOption, match=r"function, not async, that takes \(kind, samples\)"):
        Taps().add(tap)


def test_a_builtin_without_a_signature_is_a_tap() -> None:
    Taps().add(dict)  # type: ignore[arg-type]
