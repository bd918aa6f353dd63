"""Processes that a signal meant for their parent does not end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import Connection

import pytest

from spike_engine.lifetime import signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


def answer(pipe: Connection) -> None:
    signals.ignore()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.raise_signal(number)
    pipe.send(signal.pthread_sigmask(signal.SIG_BLOCK, []))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_that_comes_while_the_process_starts_does_not_end_it(number: int) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=answer, args=(theirs,))
    with signals.held_back():
        process.start()
    assert process.pid
    os.kill(process.pid, number)  # its interpreter begins
    theirs.close()

    assert ours.recv().isdisjoint({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    process.join()
    assert process.exitcode == 0
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
