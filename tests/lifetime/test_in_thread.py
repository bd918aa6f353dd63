"""Calls in threads that keep nobody waiting."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from spike_engine.lifetime.threads import in_thread

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("WHO")


def test_what_a_call_returns_and_raises_and_where_it_runs() -> None:
    WHO.set("the caller")

    def call(of: str) -> tuple[str, str, bool]:
        thread = threading.current_thread()
        return f"{of} {WHO.get()}", thread.name, thread.daemon

    assert in_thread(call, "in the context of", name="work").result(5) == ("in the context of the caller", "work", True)
    with pytest.raises(ZeroDivisionError):
        in_thread(lambda: 1 / 0, name="work").result(5)


async def test_a_stop_iteration_reaches_who_awaits_it() -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await asyncio.wrap_future(in_thread(next, iter(()), name="work"))


def test_what_nobody_wants_any_more_is_handed_over() -> None:
    go, dropped = threading.Event(), threading.Event()
    unwanted: list[Any] = []

    def drop(result: Any) -> None:
        unwanted.append(result)
        dropped.set()

    future = in_thread(lambda: go.wait(5) and "opened", name="work", unwanted=drop)
    assert future.cancel()
    go.set()
    assert dropped.wait(5)
    assert unwanted == ["opened"]


def test_what_raises_when_nobody_wants_it_is_nothing() -> None:
    go = threading.Event()

    def call() -> None:
        go.wait(5)
        raise ZeroDivisionError

    future = in_thread(call, name="raises late", unwanted=lambda _: pytest.fail("it returned nothing"))
    future.cancel()
    go.set()
    for thread in threading.enumerate():
        if thread.name == "raises late":
            thread.join(5)


def test_the_end_of_the_program_waits_where_it_is_told_to() -> None:
    go = threading.Event()
    future = in_thread(go.wait, 5, name="work", holds_end_s=5.0)
    (holder,) = [thread for thread in threading.enumerate() if thread.name == "end of work"]

    assert not holder.daemon
    go.set()
    assert future.result(5)
    holder.join(5)
    assert not holder.is_alive()
