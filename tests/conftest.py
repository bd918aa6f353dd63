from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How quickly an example is made says more about the machine than about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def open_sockets() -> set[str]:
    """The sockets that this process holds, by inode (Linux; elsewhere the check is left to tasks and threads)."""
    found = set()
    for descriptor in Path("/proc/self/fd").glob("*"):
        try:
            target = os.readlink(descriptor)
        except OSError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


def pytest_configure() -> None:
    """Programs of the tests hear of Ctrl-C and of a terminal that closes, though a shell has these ignored for us."""
    for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        if (number := getattr(signal, name, None)) and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture
async def nothing_left_open() -> AsyncIterator[None]:
    """Fails a test that leaves a task, thread or socket behind."""
    tasks, threads, sockets = asyncio.all_tasks(), set(threading.enumerate()), open_sockets()
    yield
    deadline = asyncio.get_running_loop().time() + 10.0  # more than any close may take, on a busy machine too
    while True:
        gc.collect()
        left = {
            "tasks": asyncio.all_tasks() - tasks - {asyncio.current_task()},
            # asyncio keeps its executor's threads for the next call
            "threads": {t for t in set(threading.enumerate()) - threads if not t.name.startswith("asyncio_")},
            "sockets": open_sockets() - sockets,
        }
        if not any(left.values()):
            return
        if asyncio.get_running_loop().time() > deadline:
            pytest.fail(f"left open: {left}")
        await asyncio.sleep(0.05)  # sockets close on the loop's next turns: there is no event to wait for


@pytest.fixture
def heard() -> Callable[[Any], list[tuple[str, Any]]]:
    """Records all events of a client as (name, event)."""

    def record(client: Any) -> list[tuple[str, Any]]:
        from spike_engine.events import EVENT_TYPES

        events: list[tuple[str, Any]] = []
        for name in EVENT_TYPES.keys() - {"devices-changed", "user-audio-level"}:  # which cost something
            client.on(name, lambda event, name=name: events.append((name, event)))
        return events

    return record
