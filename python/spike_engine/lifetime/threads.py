"""What blocks, in a thread of its own that keeps nobody waiting."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


def in_thread(
    call: Callable[..., Any],
    *arguments: Any,
    name: str,
    unwanted: Callable[[Any], object] | None = None,
    holds_end_s: float = 0.0,
) -> Future[Any]:
    """What `call` returns, from a daemon thread in the caller's context. Cancelling the future does not interrupt it.

    Args:
        call: What blocks.
        *arguments: Its own.
        name: Of the thread.
        unwanted: Takes what `call` has returned when the future had been cancelled; in the thread.
        holds_end_s: For so long the end of the program waits for it, where it must not be cut off.
    """
    done: Future[Any] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            result = context.run(call, *arguments)
        except BaseException as error:
            if done.set_running_or_notify_cancel():  # a coroutine that waits for it could not raise StopIteration
                done.set_exception(RuntimeError(repr(error)) if isinstance(error, StopIteration) else error)
            return
        if done.set_running_or_notify_cancel():
            done.set_result(result)
        elif unwanted:
            unwanted(result)

    thread = threading.Thread(target=run, daemon=True, name=name)
    thread.start()
    if holds_end_s:
        threading.Thread(target=thread.join, args=(holds_end_s,), name=f"end of {name}").start()
    return done
