"""What an owner has opened is closed: all of it, in order, whatever happens meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from spike_engine.errors import ConnectionFailed
from spike_engine.lifetime import Lifetime, Slot, cancelled

pytestmark = pytest.mark.usefixtures("nothing_left_open")


class Thing:
    """Notes that it was closed; waits until it may."""

    def __init__(self, name: str, closed: list[str], error: BaseException | None = None) -> None:
        self.name = name
        self.may_close = asyncio.Event()
        self.may_close.set()
        self._closed = closed
        self._error = error

    async def close(self) -> None:
        await self.may_close.wait()
        self._closed.append(self.name)
        if self._error:
            raise self._error


@pytest.fixture
def closed() -> list[str]:
    return []


async def test_the_last_opened_is_closed_first_and_each_once(closed: list[str]) -> None:
    lifetime = Lifetime()
    for name in "abc":
        lifetime.add(Thing(name, closed).close)
    await asyncio.gather(lifetime.close(), lifetime.close())
    await lifetime.close()

    assert closed == ["c", "b", "a"]


async def test_what_raises_keeps_nothing_else_open_and_is_logged(
    closed: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    lifetime = Lifetime()
    for name, error in (("a", None), ("b", RuntimeError("no")), ("c", asyncio.CancelledError())):
        lifetime.add(Thing(name, closed, error).close)
    await lifetime.close()

    assert closed == ["c", "b", "a"]
    assert [record.getMessage() for record in caplog.records] == ["Thing.close raised"]


async def test_what_hangs_is_given_up_and_logged(closed: list[str], caplog: pytest.LogCaptureFixture) -> None:
    lifetime = Lifetime(limit_s=0.01)
    first, hangs = Thing("a", closed), Thing("b", closed)
    hangs.may_close.clear()
    lifetime.add(first.close)
    lifetime.add(hangs.close)
    await lifetime.close()

    assert closed == ["a"]
    assert "Thing.close has not come to an end within 0.01 s" in caplog.text


async def test_who_is_cancelled_while_closing_stops_nothing(closed: list[str]) -> None:
    lifetime, thing = Lifetime(), Thing("a", closed)
    thing.may_close.clear()
    lifetime.add(thing.close)
    closing = asyncio.create_task(lifetime.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.sleep(0)
    assert not closing.done()
    thing.may_close.set()
    with pytest.raises(asyncio.CancelledError):
        await closing

    assert closed == ["a"]


@pytest.mark.parametrize("turns", range(6))
async def test_an_event_loop_that_ends_meanwhile_stops_nothing(closed: list[str], turns: int) -> None:
    lifetime = Lifetime()
    for name in "ab":
        lifetime.add(Thing(name, closed).close)
    closing = asyncio.create_task(lifetime.close())
    for _ in range(turns):
        await asyncio.sleep(0)
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    if turns == 0:
        await lifetime.close()  # nobody had begun

    assert set(closed) == {"a", "b"}


async def test_what_comes_after_the_end_is_closed_at_once(closed: list[str]) -> None:
    lifetime = Lifetime()
    await lifetime.close()
    lifetime.add(Thing("late", closed).close)
    await lifetime.settled()

    assert closed == ["late"]


async def test_a_slot_closes_what_is_exchanged_and_what_comes_too_late(closed: list[str]) -> None:
    slot: Slot[Thing] = Slot()
    first, second = Thing("first", closed), Thing("second", closed)
    assert slot.exchange(first)
    assert slot.exchange(second)
    await slot.settled()
    assert closed == ["first"]
    assert slot.current is second
    await slot.close()
    assert not slot.exchange(Thing("late", closed))
    await slot.close()

    assert closed == ["first", "second", "late"]


async def test_a_task_that_failed_is_logged_when_it_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(error: Exception) -> None:
        raise error

    tasks = [asyncio.create_task(fail(error)) for error in (RuntimeError("unseen"), ConnectionFailed("told"))]
    await asyncio.sleep(0)
    await cancelled(*tasks, None)

    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["unseen"]
