"""The AI's calls to functions of the program, for as long as one connection lasts."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from spike_engine.errors import InvalidOption
from spike_engine.events import FunctionCall
from spike_engine.lifetime import cancelled
from spike_engine.lifetime.threads import in_thread
from spike_engine.protocols.functions import Function

logger = logging.getLogger(__name__)

MOST_CALLS = 64  # under way at once


class FunctionCalls:
    """Carries out what the AI calls, side by side, and answers every call: with a result, or with ``{"error": why}``.

    An ``async`` function runs on the event loop, any other in a thread of its own. One that takes too long is
    cancelled; a thread cannot be, and is left to itself.

    Args:
        functions: By name; may change at any time.
        answer: Takes a call and what it returned, raising InvalidOption where JSON cannot hold that.
    """

    def __init__(self, functions: Mapping[str, Function], answer: Callable[[FunctionCall, Any], None]) -> None:
        self._functions = functions
        self._answer = answer
        self._tasks: set[asyncio.Task[None]] = set()

    def on_call(self, call: FunctionCall) -> None:
        """Carry `call` out, if it names one of the functions."""
        function = self._functions.get(call.name or "")
        if function is None or call.status != "in-progress":
            return
        if len(self._tasks) >= MOST_CALLS:
            self._answer(call, {"error": f"{MOST_CALLS} functions are under way: try again later"})
            return
        task = asyncio.create_task(self._carry_out(function, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel what is under way: nobody waits for it any more."""
        await cancelled(*self._tasks)

    async def _carry_out(self, function: Function, call: FunctionCall) -> None:
        result = await _outcome(function, call)
        try:
            self._answer(call, result)
        except InvalidOption as error:
            logger.error("what %s returned cannot be told to the AI: %s", function.name, error)
            self._answer(call, {"error": f"{function.name} returned what cannot be sent"})


async def _outcome(function: Function, call: FunctionCall) -> Any:
    """What `function` returns, or why it does not."""
    try:
        arguments = function.checked(call.arguments)
    except ValueError as error:
        return {"error": str(error)}
    limit = asyncio.timeout(function.timeout_s)
    try:
        async with limit:
            return await _called(function.call, arguments)
    except (Exception, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if task and task.cancelling():
            raise  # the connection closes
        if limit.expired():
            logger.error("the function %s gave no answer within %g s", function.name, function.timeout_s)
            return {"error": f"no answer within {function.timeout_s:g} s"}
        logger.error("the function %s raised", function.name, exc_info=error)
        return {"error": f"{type(error).__name__}: {error}"}


async def _called(call: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    if inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(type(call).__call__):
        return await call(**arguments)
    calling = in_thread(partial(call, **arguments), name="function of the program", unwanted=_end_unawaited)
    result = await asyncio.wrap_future(calling)
    return await result if inspect.isawaitable(result) else result


def _end_unawaited(result: Any) -> None:
    if inspect.iscoroutine(result):
        result.close()
