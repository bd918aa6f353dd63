"""The AI's calls to functions of the program, for as long as one connection lasts."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from spike_engine.errors import InvalidOption
from spike_engine.events import FunctionCall
from spike_engine.lifetime import cancelled
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
    result = await _in_thread(lambda: call(**arguments))
    return await result if inspect.isawaitable(result) else result


async def _in_thread(call: Callable[[], Any]) -> Any:
    """What `call` returns, in a thread that keeps neither the program from ending nor a caller waiting."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if done.done():
            return
        if error:
            done.set_exception(error)
        else:
            done.set_result(result)

    def run() -> None:
        result: Any = None
        failure: BaseException | None = None
        try:
            result = context.run(call)
        except BaseException as error:  # whatever it raises is the AI's to hear; a future takes no StopIteration
            failure = RuntimeError(repr(error)) if isinstance(error, StopIteration) else error
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:
            logger.warning("a function came back after the event loop had ended")

    threading.Thread(target=run, name="function of the program", daemon=True).start()
    return await done
