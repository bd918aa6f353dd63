"""The beat that all conversations of a process share."""

from __future__ import annotations

import asyncio
import time

import pytest

from spike_engine.webrtc.clock import BEAT_S, MOST_BEATS, running_clock


async def beats(clock, wanted: int, *, every: int = 1) -> list[tuple[float, int]]:
    loop, heard, enough = asyncio.get_running_loop(), [], asyncio.Event()

    def beat(turns: int) -> None:
        heard.append((loop.time(), turns))
        if sum(turns for _, turns in heard) >= wanted:
            enough.set()

    clock.listen(beat, every=every)
    async with asyncio.timeout(10):
        await enough.wait()
    clock.leave(beat)
    return heard


async def test_turns_come_as_time_goes_for_whoever_listens() -> None:
    clock = running_clock()
    assert clock is running_clock()
    began_s = time.monotonic()

    each, second = await asyncio.gather(beats(clock, 40), beats(clock, 20, every=2))

    took_s = time.monotonic() - began_s
    assert 40 <= sum(turns for _, turns in each) <= took_s / BEAT_S + 1
    assert 20 <= sum(turns for _, turns in second) <= took_s / BEAT_S / 2 + 1


async def test_a_late_beat_makes_up_for_what_was_missed_within_reason() -> None:
    clock = running_clock()
    heard: list[int] = []
    clock.listen(heard.append)
    await asyncio.sleep(2 * BEAT_S)
    time.sleep(0.1)  # noqa: ASYNC251 (the loop is held up)
    await asyncio.sleep(BEAT_S)
    assert max(heard) >= 8
    time.sleep(1.0)  # noqa: ASYNC251
    await asyncio.sleep(BEAT_S)
    assert max(heard) == MOST_BEATS
    clock.leave(heard.append)
    count = len(heard)
    await asyncio.sleep(5 * BEAT_S)
    assert len(heard) == count


async def test_listeners_to_every_other_beat_take_turns_and_one_that_fails_stops_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = running_clock()
    phases: list[set[int]] = [set() for _ in range(4)]

    def fails(_: int) -> None:
        raise RuntimeError("a bad listener")

    def listener(at: set[int]):
        return lambda _: at.add(clock._beats % 2)

    listeners = [listener(at) for at in phases]
    clock.listen(fails)
    for each in listeners:
        clock.listen(each, every=2)
    await asyncio.sleep(20 * BEAT_S)
    for each in [fails, *listeners]:
        clock.leave(each)

    assert "a bad listener" in caplog.text
    assert all(phases)
    assert clock._timer is None
