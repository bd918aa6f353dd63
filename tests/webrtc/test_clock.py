"""The beat that all conversations of a process share."""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
import weakref
from collections import Counter
from collections.abc import Callable

import pytest

from spike_engine.webrtc.clock import BEAT_S, MOST_BEATS, Clock, running_clock
from spike_engine.webrtc.shared_reading import running_reading


async def beats(clock: Clock, wanted: int, *, every: int = 1) -> None:
    heard, enough = 0, asyncio.Event()

    def beat() -> None:
        nonlocal heard
        heard += 1
        if heard == wanted:
            enough.set()

    clock.listen(beat, every=every)
    async with asyncio.timeout(10):
        await enough.wait()
    clock.leave(beat)


async def test_beats_come_as_time_goes_for_whoever_listens() -> None:
    clock = running_clock()
    assert clock is running_clock()
    began_s = time.monotonic()

    await asyncio.gather(beats(clock, 40), beats(clock, 20, every=2))

    assert time.monotonic() - began_s >= 39 * BEAT_S


def test_a_clock_goes_with_its_event_loop() -> None:
    async def listen() -> weakref.ref[asyncio.AbstractEventLoop]:
        await beats(running_clock(), 2)
        running_reading()
        return weakref.ref(asyncio.get_running_loop())

    with asyncio.Runner() as runner:
        loop = runner.run(listen())
    del runner
    gc.collect()
    assert loop() is None


async def test_late_beats_are_made_up_for_one_by_one_within_reason() -> None:
    clock, loop = running_clock(), asyncio.get_running_loop()
    order: list[str] = []
    times_ms: list[float] = []

    def beat() -> None:
        order.append("beat")
        times_ms.append(clock.now_ms())
        loop.call_soon(order.append, "turn")

    clock.listen(beat)
    await asyncio.sleep(2 * BEAT_S)
    order.clear()
    time.sleep(0.1)  # noqa: ASYNC251 (the loop is held up)
    for _ in range(40):
        await asyncio.sleep(0)
    assert order.count("beat") >= 8
    assert "".join(each[0] for each in order).count("bbb") == 0
    assert (
        max(later - earlier for earlier, later in itertools.pairwise(times_ms)) <= 3000 * BEAT_S + 1e-6
    )  # and not by the 100 ms of the clock on the wall
    order.clear()
    time.sleep(1.0)  # noqa: ASYNC251
    woken_s = time.monotonic()
    for _ in range(80):
        await asyncio.sleep(0)
    since_then = (time.monotonic() - woken_s) / BEAT_S
    assert MOST_BEATS <= order.count("beat") <= MOST_BEATS + 2 + since_then
    clock.leave(beat)
    count = order.count("beat")
    await asyncio.sleep(5 * BEAT_S)
    assert order.count("beat") == count


async def test_listeners_are_spread_over_time_and_one_that_fails_stops_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = running_clock()
    turn = 0
    turns: list[list[int]] = [[] for _ in range(16)]

    def fails() -> None:
        raise RuntimeError("a bad listener")

    def listener(at: list[int]) -> Callable[[], None]:
        return lambda: at.append(turn)

    listeners = [listener(at) for at in turns]
    for each in [fails, *listeners]:
        clock.listen(each, every=2)
    end_s = time.monotonic() + 20 * BEAT_S
    while time.monotonic() < end_s:
        turn += 1
        await asyncio.sleep(0)
    for each in [fails, *listeners]:
        clock.leave(each)

    assert "a bad listener" in caplog.text
    assert all(turns)
    assert max(Counter(itertools.chain.from_iterable(turns)).values()) <= 3
    assert clock._timer is None
